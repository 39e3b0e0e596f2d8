// Profile pictures of the demo's people: a gradient, a soft shape behind, and a face of simple forms.
#pragma once

#include <cstdint>

#include "app/demo/png.h"

namespace spaktok::demo {

inline constexpr int avatar_side = 384;

// The same seed draws the same picture.
Image draw_avatar(std::uint64_t seed);

}  // namespace spaktok::demo
