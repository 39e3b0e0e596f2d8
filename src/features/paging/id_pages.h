// Pages of lists that are ordered by an id of version 7 alone.
#pragma once

#include <utility>

#include "features/paging/page.h"

namespace spaktok::paging {

// Sorts after every identifier that is made, and before.
inline const Uuid last_id = *Uuid::parse("ffffffff-ffff-ffff-ffff-ffffffffffff");
inline constexpr Uuid first_id{};

// Throws invalid_cursor().
inline std::optional<Uuid> id_of_cursor(std::string_view list, const std::optional<std::string>& cursor) {
    const auto parts = decode_cursor(list, 1, cursor);
    if (!parts) return std::nullopt;
    const auto id = Uuid::parse(parts->front());
    if (!id) throw invalid_cursor();
    return id;
}

// `items` has one more than the page where there is another. Their `id` is a Uuid or an Id.
template <class T>
Page<T> page_by_id(std::vector<T> items, std::int64_t limit, std::string_view list) {
    Page<T> page{.items = std::move(items), .next_cursor = std::nullopt};
    if (std::cmp_greater(page.items.size(), limit)) {
        page.items.resize(static_cast<std::size_t>(limit));
        page.next_cursor = encode_cursor(list, std::vector{page.items.back().id.to_string()});
    }
    return page;
}

}  // namespace spaktok::paging
