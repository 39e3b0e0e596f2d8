// The API's documents, compiled into the program: a server describes exactly the version it is.
#pragma once

#include <string_view>

namespace spaktok::app {

std::string_view openapi_document();
std::string_view realtime_document();

}  // namespace spaktok::app
