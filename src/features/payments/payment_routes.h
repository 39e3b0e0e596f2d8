// What payment providers call, and the end of a checkout in the sandbox.
#pragma once

#include "features/payments/payment_service.h"
#include "http/router.h"

namespace spaktok::payments {

void add_routes(http::Router& router, Service& service);

}  // namespace spaktok::payments
