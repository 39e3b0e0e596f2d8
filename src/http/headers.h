// Header fields of a request or a response.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spaktok::http {

// Few fields, looked up without regard to case, in the order in which they came. All text lies in one buffer:
// a request with twenty fields costs two allocations, not forty. Views that were returned end with the next
// change.
class Headers {
  public:
    void set(std::string_view name, std::string_view value);  // replaces
    void add(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    std::optional<std::string_view> get(std::string_view name) const;  // the first of that name
    bool has(std::string_view name) const { return get(name).has_value(); }
    std::size_t count(std::string_view name) const;
    std::size_t size() const { return fields_.size(); }
    std::vector<std::pair<std::string_view, std::string_view>> all() const;

    template <class Visitor>
    void for_each(Visitor visitor) const {
        for (const auto& field : fields_)
            visitor(name_of(field), value_of(field));
    }

  private:
    struct Field {
        std::uint32_t begin;
        std::uint32_t name_length;
        std::uint32_t value_length;
    };
    std::string_view name_of(const Field& field) const {
        return std::string_view(text_).substr(field.begin, field.name_length);
    }
    std::string_view value_of(const Field& field) const {
        return std::string_view(text_).substr(field.begin + field.name_length, field.value_length);
    }

    std::string text_;
    std::vector<Field> fields_;
};

}  // namespace spaktok::http
