// JSON to and from described structs (Boost.Describe): the names of the members are the names in the JSON.
//
//   struct Profile { std::string username; std::optional<std::string> bio; Timestamp created_at; };
//   BOOST_DESCRIBE_STRUCT(Profile, (), (username, bio, created_at))
//   json::serialize(profile)           // {"username": …, "bio": null, "created_at": "2026-…Z"}, as text
//   json::to_value(profile)            // the same as a value
//   json::from_value<Profile>(value)   // throws Error{invalid_argument, field} where a type does not fit
//
// Mapping: bool, integers, double, std::string, Uuid, Id<>, ObjectId and Timestamp as strings, Money as
// integer minor units, std::optional (null or absent), std::vector, boost::json::value as is, described enums
// by name, described structs. Reading ignores unknown members (clients may be newer) and refuses an object in
// which a member that is not a std::optional is missing.
#pragma once

#include <concepts>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <boost/mp11.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "base/money.h"
#include "base/object_id.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// Parses text of at most `depth_max` nested values; throws Error{invalid_argument}. U+0000 in any string is
// refused.
Value parse(std::string_view text, std::size_t depth_max = 32);

// Whether any text in it has the character U+0000: JSON can write it as \u0000, PostgreSQL's text cannot hold
// it, so no engine gets it.
bool has_zero(const Value& value);

namespace detail {
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
template <class T>
struct is_id : std::false_type {};
template <class Tag>
struct is_id<Id<Tag>> : std::true_type {};

// Quoted and escaped. Valid UTF-8 is expected, and escaped no further than RFC 8259 asks for.
void append_string(std::string& out, std::string_view text);

[[noreturn]] void wrong_type(std::string_view field, std::string_view expected);
[[noreturn]] void missing(std::string_view field);
std::string join(std::string_view parent, std::string_view member);
}  // namespace detail

template <class T>
Value to_value(const T& value) {
    using boost::describe::has_describe_enumerators;
    using boost::describe::has_describe_members;
    if constexpr (std::same_as<T, Value> || std::same_as<T, Object> || std::same_as<T, Array>) {
        return value;
    } else if constexpr (std::same_as<T, bool> || std::same_as<T, double>) {
        return value;
    } else if constexpr (std::is_integral_v<T>) {
        return static_cast<std::int64_t>(value);
    } else if constexpr (std::convertible_to<T, std::string_view>) {
        return Value(boost::json::string(std::string_view(value)));
    } else if constexpr (std::same_as<T, Timestamp>) {
        return Value(boost::json::string(to_rfc3339(value)));
    } else if constexpr (std::same_as<T, Money>) {
        return value.minor();
    } else if constexpr (std::same_as<T, Uuid> || std::same_as<T, ObjectId> || detail::is_id<T>::value) {
        return Value(boost::json::string(value.to_string()));
    } else if constexpr (detail::is_optional<T>::value) {
        return value ? to_value(*value) : Value(nullptr);
    } else if constexpr (detail::is_vector<T>::value) {
        Array array;
        array.reserve(value.size());
        for (const auto& item : value)
            array.push_back(to_value(item));
        return array;
    } else if constexpr (has_describe_enumerators<T>::value) {
        return Value(boost::json::string(boost::describe::enum_to_string(value, "")));
    } else {
        static_assert(has_describe_members<T>::value, "describe this type with BOOST_DESCRIBE_STRUCT");
        Object object;
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
            [&](auto member) { object[member.name] = to_value(value.*member.pointer); });
        return object;
    }
}

// Appends the text of what to_value would make, without making it.
template <class T>
void append(std::string& out, const T& value) {
    using boost::describe::has_describe_enumerators;
    if constexpr (std::same_as<T, Value> || std::same_as<T, Object> || std::same_as<T, Array> ||
                  std::same_as<T, double>) {
        out += boost::json::serialize(Value(value));
    } else if constexpr (std::same_as<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (std::is_integral_v<T>) {
        fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
    } else if constexpr (std::convertible_to<T, std::string_view>) {
        detail::append_string(out, value);
    } else if constexpr (std::same_as<T, Timestamp>) {
        detail::append_string(out, to_rfc3339(value));
    } else if constexpr (std::same_as<T, Money>) {
        append(out, value.minor());
    } else if constexpr (std::same_as<T, Uuid> || std::same_as<T, ObjectId> || detail::is_id<T>::value) {
        detail::append_string(out, value.to_string());
    } else if constexpr (detail::is_optional<T>::value) {
        if (!value) {
            out += "null";
        } else {
            append(out, *value);
        }
    } else if constexpr (detail::is_vector<T>::value) {
        out += '[';
        for (const auto& item : value) {
            if (&item != &value.front()) out += ',';
            append(out, item);
        }
        out += ']';
    } else if constexpr (has_describe_enumerators<T>::value) {
        detail::append_string(out, boost::describe::enum_to_string(value, ""));
    } else {
        char separator = '{';
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
            [&](auto member) {
                out += separator;
                out += '"';
                out += member.name;
                out += "\":";
                append(out, value.*member.pointer);
                separator = ',';
            });
        if (separator == '{') out += separator;
        out += '}';
    }
}

template <class T>
std::string serialize(const T& value) {
    std::string text;
    append(text, value);
    return text;
}

// `field` names the value in errors ("items.title"). Strings with U+0000 are refused by `parse` already.
template <class T>
T from_value(const Value& value, std::string_view field = "") {
    using boost::describe::has_describe_enumerators;
    if constexpr (std::same_as<T, Value>) {
        return value;
    } else if constexpr (std::same_as<T, Object>) {
        if (!value.is_object()) detail::wrong_type(field, "an object");
        return value.get_object();
    } else if constexpr (std::same_as<T, bool>) {
        if (!value.is_bool()) detail::wrong_type(field, "true or false");
        return value.get_bool();
    } else if constexpr (std::is_integral_v<T>) {
        boost::system::error_code error;
        const auto number = value.to_number<T>(error);
        if (error || value.is_double()) detail::wrong_type(field, "a whole number in range");
        return number;
    } else if constexpr (std::same_as<T, double>) {
        if (!value.is_number()) detail::wrong_type(field, "a number");
        return value.to_number<double>();
    } else if constexpr (std::same_as<T, std::string>) {
        if (!value.is_string()) detail::wrong_type(field, "a string");
        return std::string(value.get_string());
    } else if constexpr (std::same_as<T, Timestamp>) {
        const auto at = value.is_string() ? parse_rfc3339(value.get_string()) : std::nullopt;
        if (!at) detail::wrong_type(field, "a time such as 2026-01-31T08:00:00Z");
        return *at;
    } else if constexpr (std::same_as<T, Money>) {
        if (!value.is_int64()) detail::wrong_type(field, "a whole number of minor units");
        return Money::from_minor(value.get_int64());
    } else if constexpr (std::same_as<T, Uuid> || std::same_as<T, ObjectId> || detail::is_id<T>::value) {
        const auto id = value.is_string() ? T::parse(value.get_string()) : std::nullopt;
        if (!id) detail::wrong_type(field, "an id");
        return *id;
    } else if constexpr (detail::is_optional<T>::value) {
        if (value.is_null()) return std::nullopt;
        return from_value<typename T::value_type>(value, field);
    } else if constexpr (detail::is_vector<T>::value) {
        if (!value.is_array()) detail::wrong_type(field, "an array");
        T items;
        items.reserve(value.get_array().size());
        for (const auto& item : value.get_array())
            items.push_back(from_value<typename T::value_type>(item, field));
        return items;
    } else if constexpr (has_describe_enumerators<T>::value) {
        T result{};
        if (!value.is_string() ||
            !boost::describe::enum_from_string(std::string(value.get_string()).c_str(), result)) {
            detail::wrong_type(field, "one of the known words");
        }
        return result;
    } else {
        if (!value.is_object()) detail::wrong_type(field, "an object");
        T result{};
        boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_public>>(
            [&](auto member) {
                using Member = std::remove_cvref_t<decltype(result.*member.pointer)>;
                const auto* found = value.get_object().if_contains(member.name);
                if (found != nullptr) {
                    result.*member.pointer = from_value<Member>(*found, detail::join(field, member.name));
                } else if constexpr (!detail::is_optional<Member>::value) {
                    detail::missing(detail::join(field, member.name));
                }
            });
        return result;
    }
}

}  // namespace spaktok::json
