// The key of a document: 12 bytes, 24 hex digits in the API (BSON specification, ObjectId).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/timestamp.h"

namespace spaktok {

class Random;

class ObjectId {
  public:
    constexpr ObjectId() = default;
    explicit constexpr ObjectId(const std::array<std::uint8_t, 12>& bytes) : bytes_(bytes) {}

    // Four bytes of Unix seconds, five random bytes of this process, three of a counter. Sorts by the second
    // it was made in.
    static ObjectId make(Timestamp at, Random& random);
    static std::optional<ObjectId> parse(std::string_view text);

    std::string to_string() const;
    const std::array<std::uint8_t, 12>& bytes() const { return bytes_; }
    auto operator<=>(const ObjectId&) const = default;

  private:
    std::array<std::uint8_t, 12> bytes_{};
};

}  // namespace spaktok

template <>
struct std::hash<spaktok::ObjectId> {
    std::size_t operator()(const spaktok::ObjectId& id) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(id.bytes().data()), 12});
    }
};
