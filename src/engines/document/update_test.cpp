#include "engines/document/update.h"

#include <limits>

#include <gtest/gtest.h>

namespace spaktok::document {

using std::string_literals::operator""s;

namespace {

std::string applied(std::string_view document, const Update& update) {
    try {
        return boost::json::serialize(apply(json::parse(document).as_object(), update));
    } catch (const Error& error) {
        return "refused: " + std::string(to_string(error.code()));
    }
}

}  // namespace

TEST(DocumentUpdate, AppliesEachOperatorAsMongoDbDoes) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const std::string refused = "refused: invalid_argument";
    const struct {
        std::string before;
        Change change;
        std::string after;
    } cases[] = {
        {R"({})", set("a", "x"s), R"({"a":"x"})"},
        {R"({"a":1})", set("a", Value{}), R"({"a":null})"},
        {R"({})", set("a.b.c", true), R"({"a":{"b":{"c":true}}})"},
        {R"({"a":null})", set("a.b", true), R"({"a":{"b":true}})"},
        {R"({"a":1})", set("a.b", true), refused},
        {R"({"a":1,"b":2})", unset("a"), R"({"b":2})"},
        {R"({"b":2})", unset("a"), R"({"b":2})"},
        {R"({"b":2})", unset("a.c"), R"({"b":2})"},
        {R"({})", increment("a", 2), R"({"a":2})"},
        {R"({"a":null})", increment("a", 2), R"({"a":2})"},
        {R"({"a":1})", increment("a", -2), R"({"a":-1})"},
        {R"({"a":1.5})", increment("a", 1), R"({"a":2.5E0})"},
        {R"({"a":"1"})", increment("a", 1), refused},
        {R"({"a":1})", increment("a", most), refused},
        {R"({"a":0})", increment("a", most), R"({"a":9223372036854775807})"},
        {R"({})", push("a", 1, 2), R"({"a":[1]})"},
        {R"({"a":[1,2]})", push("a", 3, 2), R"({"a":[2,3]})"},
        {R"({"a":[1,2]})", push("a", 3, 0), R"({"a":[]})"},
        {R"({"a":1})", push("a", 3, 2), refused},
        {R"({})", add_to_set("a", "x"s), R"({"a":["x"]})"},
        {R"({"a":["x"]})", add_to_set("a", "x"s), R"({"a":["x"]})"},
        {R"({"a":["x","y","x"]})", pull("a", "x"s), R"({"a":["y"]})"},
        {R"({})", pull("a", "x"s), R"({})"},
        {R"({"a":1})", pull("a", "x"s), refused},
        {R"({})", max("a", std::int64_t{1}), R"({"a":1})"},
        {R"({"a":2})", max("a", std::int64_t{1}), R"({"a":2})"},
        {R"({"a":2})", max("a", 2.5), R"({"a":2.5E0})"},
        {R"({"a":"b"})", max("a", "a"s), R"({"a":"b"})"},
        {R"({"a":"b"})", max("a", std::int64_t{1}), refused},
    };
    for (const auto& each : cases) {
        EXPECT_EQ(applied(each.before, {each.change}), each.after) << each.before << " " << each.change.field;
    }
}

TEST(DocumentUpdate, AppliesAllChangesInOrder) {
    EXPECT_EQ(applied(R"({"a":1})", {increment("a", 1), set("b", "x"s), unset("c")}), R"({"a":2,"b":"x"})");
}

TEST(DocumentUpdate, AnUpsertBeginsWithTheEqualConditions) {
    const auto document =
        from_equal_conditions({eq("room", "r1"s), gt("seq", std::int64_t{1}), eq("inner.a", true)});
    EXPECT_EQ(boost::json::serialize(document), R"({"room":"r1","inner":{"a":true}})");
}

}  // namespace spaktok::document
