// What follows a gift: everyone who watches sees it, and it stands in the chat.
#pragma once

#include <functional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/json.h"
#include "features/accounts/account_service.h"
#include "features/chat/chat_service.h"
#include "features/events/events.h"
#include "features/gifts/gift_service.h"

namespace spaktok::gifts {

using Publish =
    std::function<boost::asio::awaitable<void>(std::string topic, std::string event, json::Value data)>;

// Before the dispatcher starts. Each gift is told on `stream:<id>` as `gift.sent`, equal ones of one sender
// that were booked together as one, and stands in the room once, as a message named by its transaction.
void announce_gifts(events::Dispatcher& events, Service& gifts, chat::Service& chat,
                    accounts::Service& accounts, Publish publish);

}  // namespace spaktok::gifts
