// HTTP and JSON of streams and stream keys.
#pragma once

#include <string>

#include "features/accounts/account_service.h"
#include "features/streams/stream_service.h"
#include "http/router.h"

namespace spaktok::streams {

// `rtmp_url`: what publishers call the server ("rtmp://live.example.org/live").
void add_routes(http::Router& router, Service& service, accounts::Service& accounts, std::string rtmp_url);

}  // namespace spaktok::streams
