// The counters that give messages their places, compared with the messages.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "engines/document/collection.h"
#include "features/checking/findings.h"

namespace spaktok::chat {

// A counter may be ahead of the messages (gaps are legal) and must not be behind.
boost::asio::awaitable<void> check_counters(document::Store& documents, checking::Findings& findings);

}  // namespace spaktok::chat
