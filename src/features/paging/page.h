// Pages of lists: items and an opaque cursor that says where the next page begins.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/request.h"

namespace spaktok::paging {

inline constexpr std::int64_t limit_default = 20;
inline constexpr std::int64_t limit_max = 100;
inline constexpr std::size_t cursor_length_max = 200;

// `?limit=`; throws Error{invalid_argument, field "limit"} outside of 1 … limit_max.
std::int64_t limit_of(const http::Request& request, std::int64_t fallback = limit_default);

// The last item's sort key in unpadded base64url, with the list's name, so that a cursor of another list is
// refused. Parts must not contain '|'.
std::string encode_cursor(std::string_view list, const std::vector<std::string>& parts);
// nullopt for the first page. Throws Error{invalid_argument, reason "invalid_cursor"} for one that this list
// did not make; what the parts mean is checked by the caller, who throws invalid_cursor() too.
std::optional<std::vector<std::string>> decode_cursor(std::string_view list, std::size_t parts,
                                                      const std::optional<std::string>& cursor);
Error invalid_cursor();

// A place in a list that is ordered by time, then by an id: newest first.
struct TimeAndId {
    Timestamp at{};
    Uuid id;
};
std::string encode_cursor(std::string_view list, const TimeAndId& last);
std::optional<TimeAndId> decode_time_and_id(std::string_view list, const std::optional<std::string>& cursor);

template <class T>
struct Page {
    std::vector<T> items;
    std::optional<std::string> next_cursor;
    BOOST_DESCRIBE_CLASS(Page, (), (items, next_cursor), (), ())
};

}  // namespace spaktok::paging
