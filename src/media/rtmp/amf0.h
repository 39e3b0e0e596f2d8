// AMF0 (Adobe's "Action Message Format — AMF 0"), the values that commands and metadata are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace spaktok::media::rtmp::amf0 {

inline constexpr std::size_t depth_max = 8;       // commands nest two deep
inline constexpr std::size_t values_max = 1'024;  // of one message, all levels together

class Value;
struct Null {
    bool operator==(const Null&) const = default;
};
struct Undefined {
    bool operator==(const Undefined&) const = default;
};
struct Date {
    double milliseconds = 0;  // since 1970; the time zone that follows on the wire is reserved
    bool operator==(const Date&) const = default;
};
// Objects, typed objects (without their class name) and ECMA arrays alike; in order, names may repeat.
struct Object {
    std::vector<std::pair<std::string, Value>> members;
    const Value* find(std::string_view name) const;  // the first of that name
    bool operator==(const Object& other) const;
};
struct Array {
    std::vector<Value> items;
    bool operator==(const Array& other) const;
};

class Value {
  public:
    using Variant = std::variant<Undefined, Null, double, bool, std::string, Date, Object, Array>;

    Value() = default;
    Value(Variant variant) : variant_(std::move(variant)) {}
    Value(double number) : variant_(number) {}
    Value(bool flag) : variant_(flag) {}
    Value(std::string text) : variant_(std::move(text)) {}
    Value(const char* text) : variant_(std::string{text}) {}
    Value(Null null) : variant_(null) {}
    Value(Object object);
    Value(Array array);

    // Null where the value is of another type.
    const double* number() const { return std::get_if<double>(&variant_); }
    const bool* flag() const { return std::get_if<bool>(&variant_); }
    const std::string* text() const { return std::get_if<std::string>(&variant_); }
    const Object* object() const { return std::get_if<Object>(&variant_); }
    const Array* array() const { return std::get_if<Array>(&variant_); }
    bool operator==(const Value& other) const = default;
    const Variant& variant() const { return variant_; }

  private:
    Variant variant_;
};

// All values of a message. Throws Error{malformed} for what is cut off, unknown or AMF3, Error{too_large}
// past the limits.
std::vector<Value> decode(std::span<const std::uint8_t> bytes);

// Appends the values; objects are written as objects. Strings of 64 KiB or more are written as long strings.
void encode(std::vector<std::uint8_t>& output, std::span<const Value> values);

}  // namespace spaktok::media::rtmp::amf0
