#pragma once

#include <string>
#include <string_view>

namespace spaktok::http {

// gzip at the lowest level: for answers made at the moment, where a byte saved is not worth a microsecond
// more.
std::string gzip(std::string_view text);

}  // namespace spaktok::http
