#include "engines/blob/limits.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace spaktok::blob {

namespace {
bool is_segment(std::string_view text) {
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), is_allowed);
}
}  // namespace

bool is_key(std::string_view key) {
    bool right = key.size() <= key_characters_max;
    for (std::string_view rest = key; right;) {
        const auto slash = rest.find('/');
        right = is_segment(rest.substr(0, slash));
        if (slash == std::string_view::npos) break;
        rest.remove_prefix(slash + 1);
    }
    return right;
}

void check_key(std::string_view key) {
    if (!is_key(key))
        throw Error(ErrorCode::invalid_argument, "This is not the name of a file.",
                    {.detail = "key: " + std::string(key)});
}

void check_list(std::string_view after, std::size_t limit) {
    if (!after.empty()) check_key(after);
    if (limit < 1 || limit > list_keys_max)
        throw Error(ErrorCode::invalid_argument, "A page of files is of 1 to 1000.",
                    {.detail = std::to_string(limit)});
}

void check_content_type(std::string_view content_type) {
    const auto is_allowed = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
    if (content_type.empty() || content_type.size() > content_type_characters_max ||
        !std::all_of(content_type.begin(), content_type.end(), is_allowed)) {
        throw Error(ErrorCode::invalid_argument, "This is not a content type.",
                    {.detail = std::string(content_type)});
    }
}

void check_expiry(std::chrono::seconds expires) {
    if (expires < std::chrono::seconds(1) || expires > presigned_expiry_max)
        throw Error(ErrorCode::invalid_argument, "A link is valid for 1 second to 7 days.");
}

}  // namespace spaktok::blob
