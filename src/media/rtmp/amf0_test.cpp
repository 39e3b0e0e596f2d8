#include "media/rtmp/amf0.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::rtmp::amf0 {
namespace {

using testing::append;
using testing::append_number;
using testing::Bytes;
using testing::joined;
using testing::text_bytes;

std::string reason_of(const Bytes& bytes) {
    try {
        decode(bytes);
    } catch (const Error& error) {
        return error.reason();
    }
    return "";
}

Bytes nested_objects(std::size_t depth) {
    Bytes bytes;
    for (std::size_t i = 0; i < depth; ++i)
        append(bytes, Bytes{3, 0, 1, 'a'});
    bytes.push_back(5);
    for (std::size_t i = 0; i < depth; ++i)
        append(bytes, Bytes{0, 0, 9});
    return bytes;
}

struct Case {
    std::string name;
    Bytes bytes;
    std::vector<Value> values;
};
void PrintTo(const Case& each, std::ostream* out) {
    *out << each.name;
}

class Amf0Decoding : public ::testing::TestWithParam<Case> {};

TEST_P(Amf0Decoding, YieldsTheValues) {
    EXPECT_EQ(decode(GetParam().bytes), GetParam().values);
}

INSTANTIATE_TEST_SUITE_P(
    EveryType, Amf0Decoding,
    ::testing::Values(
        Case{"Nothing", {}, {}}, Case{"Number", {0, 0x40, 0x59, 0, 0, 0, 0, 0, 0}, {100.0}},
        Case{"True", {1, 1}, {true}}, Case{"False", {1, 0}, {false}},
        Case{"String", {2, 0, 2, 'o', 'k'}, {"ok"}}, Case{"EmptyString", {2, 0, 0}, {""}},
        Case{"Null", {5}, {Null{}}}, Case{"Undefined", {6}, {Value{}}}, Case{"Unsupported", {13}, {Null{}}},
        Case{"LongString", {12, 0, 0, 0, 1, 'x'}, {"x"}}, Case{"XmlDocument", {15, 0, 0, 0, 1, 'x'}, {"x"}},
        Case{"Date", {11, 0x40, 0x59, 0, 0, 0, 0, 0, 0, 0, 60}, {Value{Value::Variant{Date{100}}}}},
        Case{"Object", {3, 0, 1, 'a', 1, 1, 0, 0, 9}, {Object{.members = {{"a", true}}}}},
        Case{"EmptyObject", {3, 0, 0, 9}, {Object{}}},
        Case{"ObjectWithoutItsEnd", {3, 0, 1, 'a', 5, 0, 0}, {Object{.members = {{"a", Null{}}}}}},
        Case{"TypedObject", {16, 0, 1, 'T', 0, 1, 'a', 5, 0, 0, 9}, {Object{.members = {{"a", Null{}}}}}},
        Case{"EcmaArrayWithAWrongCount",
             {8, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 'a', 5, 0, 0, 9},
             {Object{.members = {{"a", Null{}}}}}},
        Case{"StrictArray", {10, 0, 0, 0, 2, 5, 1, 1}, {Array{.items = {Null{}, true}}}},
        Case{"Several", {2, 0, 1, 'c', 5, 6}, {"c", Null{}, Value{}}}),
    [](const auto& info) { return info.param.name; });

TEST(Amf0, RefusesWhatIsNotAmf0) {
    const std::vector<std::pair<std::string, Bytes>> cases{
        {"number cut off", {0, 1, 2}},
        {"string cut off", {2, 0, 5, 'a'}},
        {"length cut off", {2, 0}},
        {"object without end", {3}},
        {"name without value", {3, 0, 1, 'a'}},
        {"array cut off", {10, 0, 0, 0, 2, 5}},
        {"huge array", {10, 0xFF, 0xFF, 0xFF, 0xFF}},
        {"huge string", {12, 0xFF, 0xFF, 0xFF, 0xFF}},
        {"reference", {7, 0, 1}},
        {"AMF3", {17, 1}},
        {"movie clip", {4}},
        {"record set", {14}},
        {"lone end", {9}},
        {"unknown", {0x42}},
    };
    for (const auto& [name, bytes] : cases)
        EXPECT_EQ(reason_of(bytes), "malformed") << name;
}

TEST(Amf0, AllowsTheDepthLimitAndRefusesOneMore) {
    EXPECT_EQ(reason_of(nested_objects(depth_max)), "");
    EXPECT_EQ(reason_of(nested_objects(depth_max + 1)), "too_large");
}

TEST(Amf0, AllowsTheLimitOfValuesAndRefusesOneMore) {
    EXPECT_EQ(reason_of(Bytes(values_max, 5)), "");
    EXPECT_EQ(reason_of(Bytes(values_max + 1, 5)), "too_large");
    Bytes array{10};
    append_number(array, values_max - 1, 4);
    append(array, Bytes(values_max - 1, 5));
    EXPECT_EQ(reason_of(array), "");
    EXPECT_EQ(reason_of(joined({array, {5}})), "too_large");
}

TEST(Amf0, DecodesWhatItEncodes) {
    const std::vector<Value> values{
        "connect",
        1.0,
        -0.5,
        std::numeric_limits<double>::infinity(),
        true,
        Null{},
        Value{},
        std::string(0xFFFF, 'a'),
        std::string(0x10000, 'b'),
        Value{Value::Variant{Date{1'234'567}}},
        Object{.members = {{"app", "live"},
                           {"", 1.0},
                           {"nested", Object{.members = {{"list", Array{.items = {"a", false}}}}}}}}};
    Bytes bytes;
    encode(bytes, values);
    EXPECT_EQ(decode(bytes), values);
}

TEST(Amf0, EveryPrefixOfAMessageIsRefusedOrShorter) {
    Bytes bytes;
    encode(bytes, std::vector<Value>{"name", 1.0,
                                     Object{.members = {{"a", "b"}, {"c", Array{.items = {true, Null{}}}}}}});
    const std::size_t whole = decode(bytes).size();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        // The one exception is the end marker that some encoders leave out.
        if (reason_of(prefix).empty() && size + 1 < bytes.size()) {
            EXPECT_LT(decode(prefix).size(), whole) << size;
        }
    }
}

TEST(Amf0, FindsTheFirstMemberOfAName) {
    const Object object{.members = {{"a", 1.0}, {"b", 2.0}, {"b", 3.0}}};
    ASSERT_NE(object.find("b"), nullptr);
    EXPECT_EQ(*object.find("b")->number(), 2.0);
    EXPECT_EQ(object.find("c"), nullptr);
}

}  // namespace
}  // namespace spaktok::media::rtmp::amf0
