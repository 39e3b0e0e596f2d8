#include "features/paging/page.h"

#include <charconv>

#include <sodium.h>

namespace spaktok::paging {

namespace {

constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string to_base64(std::string_view bytes) {
    std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
    sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), variant);
    text.pop_back();  // the terminating NUL
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes(text.size(), '\0');
    std::size_t length = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &length, nullptr, variant) != 0) {
        return std::nullopt;
    }
    bytes.resize(length);
    return bytes;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    for (;;) {
        const auto bar = text.find('|');
        parts.emplace_back(text.substr(0, bar));
        if (bar == std::string_view::npos) return parts;
        text.remove_prefix(bar + 1);
    }
}

}  // namespace

std::int64_t limit_of(const http::Request& request, std::int64_t fallback) {
    return request.query_integer("limit", fallback, 1, limit_max);
}

std::string encode_cursor(std::string_view list, const std::vector<std::string>& parts) {
    std::string text(list);
    for (const auto& part : parts) {
        text += '|';
        text += part;
    }
    return to_base64(text);
}

Error invalid_cursor() {
    return Error(ErrorCode::invalid_argument, "This cursor was not made by this list.",
                 {.field = "cursor", .reason = "invalid_cursor"});
}

std::optional<std::vector<std::string>> decode_cursor(std::string_view list, std::size_t parts,
                                                      const std::optional<std::string>& cursor) {
    if (!cursor) return std::nullopt;
    if (cursor->empty() || cursor->size() > cursor_length_max) throw invalid_cursor();
    const auto text = from_base64(*cursor);
    if (!text) throw invalid_cursor();
    auto found = split(*text);
    if (found.size() != parts + 1 || found.front() != list) throw invalid_cursor();
    found.erase(found.begin());
    return found;
}

std::string encode_cursor(std::string_view list, const TimeAndId& last) {
    return encode_cursor(list, {std::to_string(to_unix_milliseconds(last.at)), last.id.to_string()});
}

std::optional<TimeAndId> decode_time_and_id(std::string_view list, const std::optional<std::string>& cursor) {
    const auto parts = decode_cursor(list, 2, cursor);
    if (!parts) return std::nullopt;
    std::int64_t milliseconds = 0;
    const auto& digits = (*parts)[0];
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
    const auto id = Uuid::parse((*parts)[1]);
    if (error != std::errc{} || end != digits.data() + digits.size() || milliseconds < 0 || !id)
        throw invalid_cursor();
    return TimeAndId{.at = from_unix_milliseconds(milliseconds), .id = *id};
}

}  // namespace spaktok::paging
