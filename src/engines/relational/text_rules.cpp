#include "engines/relational/text_rules.h"

#include <cmath>

#include "base/error.h"
#include "base/json.h"

namespace spaktok::relational {

namespace {
[[noreturn]] void refuse_zero() {
    throw Error(ErrorCode::invalid_argument, "Text must not contain the character U+0000.");
}
}  // namespace

void check_finite(double real) {
    if (!std::isfinite(real)) throw Error(ErrorCode::invalid_argument, "A number must be finite.");
}

void check_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) refuse_zero();
}

void check_text(const boost::json::value& document) {
    if (json::has_zero(document)) refuse_zero();
}

}  // namespace spaktok::relational
