// Compares all values of a place that follow from others with what they follow from.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "app/settings.h"
#include "features/checking/findings.h"

namespace spaktok::app {

// On an executor of one thread, which outlives the engines that it opens. Throws Error{conflict} where
// migrations wait, and what the ports do.
boost::asio::awaitable<void> check_place(Settings settings, checking::Findings& findings);
// The ledger alone. Its differences are told, never repaired.
boost::asio::awaitable<void> check_ledger(Settings settings, checking::Findings& findings);

}  // namespace spaktok::app
