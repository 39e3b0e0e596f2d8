// What Redis refused, as the port's errors. The first word of an error decides, never its text.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace spaktok::realtime::redis {

// The server could not be reached, or the connection ended: what was under way happened or not.
Error unavailable(std::string detail);
// There is more to do than places to wait in.
Error busy(std::string detail);

Error failure_of(std::string_view error);
// The server serves others than before (it became a replica): a new connection may find the right one.
bool is_wrong_server(std::string_view error);
// The keys are on their way from one server of a cluster to another.
bool is_try_again(std::string_view error);
bool is_cluster_down(std::string_view error);
bool is_unknown_script(std::string_view error);

}  // namespace spaktok::realtime::redis
