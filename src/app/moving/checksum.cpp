#include "app/moving/checksum.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <sodium.h>

namespace spaktok::moving {

namespace {

// Beyond 2^53 a double no longer has every whole number.
constexpr double whole_max = 9'007'199'254'740'992.0;

void append(std::string& out, const json::Value& value);

void append_number(std::string& out, double number) {
    const bool is_whole = std::trunc(number) == number && std::abs(number) <= whole_max;
    out += is_whole ? std::to_string(static_cast<std::int64_t>(number)) : fmt::format("{}", number);
}

void append_object(std::string& out, const json::Object& object) {
    std::vector<std::string_view> names;
    names.reserve(object.size());
    for (const auto& member : object)
        names.push_back(member.key());
    std::ranges::sort(names);
    out += '{';
    for (const auto name : names) {
        if (out.back() != '{') out += ',';
        out += boost::json::serialize(json::Value(boost::json::string(name)));
        out += ':';
        append(out, object.at(name));
    }
    out += '}';
}

void append(std::string& out, const json::Value& value) {
    if (const auto* object = value.if_object()) {
        append_object(out, *object);
    } else if (const auto* array = value.if_array()) {
        out += '[';
        for (const auto& item : *array) {
            if (out.back() != '[') out += ',';
            append(out, item);
        }
        out += ']';
    } else if (const auto* number = value.if_double()) {
        append_number(out, *number);
    } else {
        out += boost::json::serialize(value);
    }
}

}  // namespace

void Checksum::add(std::string_view thing) {
    std::array<std::uint64_t, 4> digest{};
    crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), sizeof(digest),
                       reinterpret_cast<const unsigned char*>(thing.data()), thing.size(), nullptr, 0);
    // Each word wraps around.
    for (std::size_t i = 0; i < sum_.size(); ++i)
        sum_[i] += digest[i];
    ++count_;
}

std::string canonical(const json::Value& value) {
    std::string text;
    append(text, value);
    return text;
}

}  // namespace spaktok::moving
