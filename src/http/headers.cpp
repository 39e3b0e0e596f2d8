#include "http/headers.h"

#include <algorithm>

#include "http/syntax.h"

namespace spaktok::http {

void Headers::set(std::string_view name, std::string_view value) {
    // The new one first: `value` may be a view of the old.
    const auto before = fields_.size();
    add(name, value);
    const auto is_old = [&](const Field& field) {
        return equals_ignoring_case(name_of(field), name_of(fields_[before]));
    };
    const auto last = fields_.begin() + static_cast<std::ptrdiff_t>(before);
    if (std::none_of(fields_.begin(), last, is_old)) return;
    const Field added = fields_.back();
    fields_.pop_back();
    fields_.erase(std::remove_if(fields_.begin(), fields_.end(),
                                 [&](const Field& field) {
                                     return equals_ignoring_case(name_of(field), name_of(added));
                                 }),
                  fields_.end());
    fields_.push_back(added);
}

void Headers::add(std::string_view name, std::string_view value) {
    if (fields_.capacity() == 0) fields_.reserve(8);
    const auto begin = static_cast<std::uint32_t>(text_.size());
    const Field field{begin, static_cast<std::uint32_t>(name.size()),
                      static_cast<std::uint32_t>(value.size())};
    text_.append(name);
    text_.append(value);
    fields_.push_back(field);
}

void Headers::remove(std::string_view name) {
    std::erase_if(fields_, [&](const Field& field) { return equals_ignoring_case(name_of(field), name); });
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
    for (const auto& field : fields_) {
        if (field.name_length == name.size() && equals_ignoring_case(name_of(field), name))
            return value_of(field);
    }
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) {
        return equals_ignoring_case(name_of(field), name);
    }));
}

std::vector<std::pair<std::string_view, std::string_view>> Headers::all() const {
    std::vector<std::pair<std::string_view, std::string_view>> result;
    result.reserve(fields_.size());
    for (const auto& field : fields_)
        result.emplace_back(name_of(field), value_of(field));
    return result;
}

}  // namespace spaktok::http
