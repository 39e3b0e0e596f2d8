// Of the program; the same in CMakeLists.txt and CHANGELOG.md.
#pragma once

#include <string_view>

namespace spaktok::app {
inline constexpr std::string_view version = SPAKTOK_VERSION;
}
