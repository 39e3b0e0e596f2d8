#include "http/byte_range.h"

#include <algorithm>
#include <string>

#include "http/syntax.h"

namespace spaktok::http {

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
    if (!starts_ignoring_case(header, "bytes=")) return std::nullopt;
    const auto spec = trim(header.substr(6));
    const auto dash = spec.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto first_text = spec.substr(0, dash);
    const auto last_text = spec.substr(dash + 1);
    if (first_text.empty()) {
        const auto suffix = parse_decimal(last_text);
        if (!suffix) return std::nullopt;
        const auto length = std::min(*suffix, size);
        return ByteRange{size - length, length};
    }
    const auto first = parse_decimal(first_text);
    if (!first) return std::nullopt;
    std::uint64_t last = UINT64_MAX;
    if (!last_text.empty()) {
        const auto parsed = parse_decimal(last_text);
        if (!parsed || *parsed < *first) return std::nullopt;
        last = *parsed;
    }
    if (*first >= size) return ByteRange{*first, 0};
    return ByteRange{*first, std::min(last, size - 1) - *first + 1};
}

UnsatisfiableRange::UnsatisfiableRange(std::uint64_t complete_length)
    : Error(ErrorCode::range_not_satisfiable,
            "The range lies beyond the end, which is at " + std::to_string(complete_length) + " bytes."),
      complete_length_(complete_length) {}

}  // namespace spaktok::http
