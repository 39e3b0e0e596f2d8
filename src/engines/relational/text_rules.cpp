#include "engines/relational/text_rules.h"

#include <cmath>

#include "base/error.h"

namespace spaktok::relational {

void check_finite(double real) {
    if (!std::isfinite(real)) throw Error(ErrorCode::invalid_argument, "A number must be finite.");
}

void check_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        throw Error(ErrorCode::invalid_argument, "Text must not contain the character U+0000.");
}

void check_text(const boost::json::value& document) {
    if (const auto* text = document.if_string()) {
        check_text(std::string_view(*text));
    } else if (const auto* array = document.if_array()) {
        for (const auto& item : *array)
            check_text(item);
    } else if (const auto* object = document.if_object()) {
        for (const auto& [key, item] : *object) {
            check_text(std::string_view(key));
            check_text(item);
        }
    }
}

}  // namespace spaktok::relational
