// A room over HTTP (its history, deletion) and over the gateway (topic room:<id>, request chat.send).
#pragma once

#include "features/chat/chat_service.h"
#include "gateway/gateway.h"
#include "http/router.h"

namespace spaktok::chat {

void add_routes(http::Router& router, Service& service);
void add_realtime(gateway::Gateway& gateway, Service& service, rooms::Service& rooms);

}  // namespace spaktok::chat
