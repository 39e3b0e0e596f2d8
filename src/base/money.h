// An amount of money in integer minor units (cents for USD). Never floating point.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok {

// Arithmetic that would overflow is a bug and aborts: limits keep real amounts far below.
class Money {
  public:
    constexpr Money() = default;
    static constexpr Money from_minor(std::int64_t minor) { return Money{minor}; }
    // "12", "12.3" or "12.34", optionally signed; nullopt for anything else or for what does not fit.
    static std::optional<Money> parse(std::string_view decimal);

    constexpr std::int64_t minor() const { return minor_; }
    // Always with two decimals: "-0.05".
    std::string to_string() const;

    Money operator+(Money other) const;
    Money operator-(Money other) const;
    Money operator-() const { return Money{} - *this; }
    Money& operator+=(Money other) { return *this = *this + other; }
    Money& operator-=(Money other) { return *this = *this - other; }
    auto operator<=>(const Money&) const = default;

  private:
    explicit constexpr Money(std::int64_t minor) : minor_(minor) {}
    std::int64_t minor_ = 0;
};

}  // namespace spaktok
