// The catalogue and sending over HTTP.
#pragma once

#include "features/accounts/account_service.h"
#include "features/gifts/gift_service.h"
#include "http/router.h"

namespace spaktok::gifts {

void add_routes(http::Router& router, Service& service, accounts::Service& accounts);

}  // namespace spaktok::gifts
