#include "engines/realtime/scan.h"

#include "base/assert.h"
#include "engines/realtime/realtime.h"

namespace spaktok::realtime {

Scanner& scanner_of(KeyValues& values) {
    auto* scanner = dynamic_cast<Scanner*>(&values);
    SPAKTOK_ASSERT(scanner != nullptr);
    return *scanner;
}

}  // namespace spaktok::realtime
