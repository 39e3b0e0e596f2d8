// Routes that are an administrator's.
#pragma once

#include "features/accounts/account_service.h"
#include "http/request.h"

namespace spaktok::accounts {

// Who asks. Throws Error{unauthenticated} or {forbidden}.
inline boost::asio::awaitable<UserId> administrator(Service& accounts, const http::Request& request) {
    const auto user = request.user();
    if (co_await accounts.role(user) != Role::admin)
        throw Error(ErrorCode::forbidden, "This is for administrators.");
    co_return user;
}

}  // namespace spaktok::accounts
