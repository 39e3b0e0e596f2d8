// A 128-bit identifier (RFC 9562). Version 7 sorts by the millisecond it was made in.
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

class Clock;
class Random;

class Uuid {
  public:
    constexpr Uuid() = default;
    explicit constexpr Uuid(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

    // Version 7: 48 bits of Unix milliseconds, then 74 random bits.
    static Uuid v7(Timestamp at, Random& random);
    // Accepts only the canonical form of 36 characters, in either case.
    static std::optional<Uuid> parse(std::string_view text);

    // Canonical form in lower case, 36 characters.
    std::string to_string() const;
    // The millisecond a version 7 identifier was made in.
    Timestamp timestamp() const;
    bool is_nil() const { return *this == Uuid{}; }
    const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

    auto operator<=>(const Uuid&) const = default;

  private:
    std::array<std::uint8_t, 16> bytes_{};
};

// A Uuid that names one kind of thing: `struct UserTag; using UserId = Id<UserTag>;`.
template <class Tag>
struct Id {
    Uuid value;

    static Id make(Timestamp at, Random& random) { return Id{Uuid::v7(at, random)}; }
    static std::optional<Id> parse(std::string_view text) {
        auto parsed = Uuid::parse(text);
        if (!parsed) return std::nullopt;
        return Id{*parsed};
    }
    std::string to_string() const { return value.to_string(); }
    auto operator<=>(const Id&) const = default;
};

using UserId = Id<struct UserTag>;
using StreamId = Id<struct StreamTag>;
using RoomId = Id<struct RoomTag>;
using GiftId = Id<struct GiftTag>;
using TransactionId = Id<struct TransactionTag>;  // of money

}  // namespace spaktok

template <>
struct std::hash<spaktok::Uuid> {
    std::size_t operator()(const spaktok::Uuid& id) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(id.bytes().data()), 16});
    }
};
template <class Tag>
struct std::hash<spaktok::Id<Tag>> {
    std::size_t operator()(const spaktok::Id<Tag>& id) const noexcept {
        return std::hash<spaktok::Uuid>{}(id.value);
    }
};
