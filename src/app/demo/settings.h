// What the demo sets differently, where the operator has not chosen.
#pragma once

#include "app/settings.h"

namespace spaktok::demo {

// A data directory of its own, beside a real one; rate limits that let a whole audience come from one
// address; a thumbnail soon after the start.
app::Settings demo_settings(app::Settings settings);

}  // namespace spaktok::demo
