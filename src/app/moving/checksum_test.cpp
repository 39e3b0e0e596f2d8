#include "app/moving/checksum.h"

#include <gtest/gtest.h>

namespace spaktok::moving {
namespace {

TEST(MovingChecksum, IsTheSameInWhateverOrder) {
    Checksum one;
    Checksum other;
    for (const auto* thing : {"a", "b", "b"})
        one.add(thing);
    for (const auto* thing : {"b", "a", "b"})
        other.add(thing);
    EXPECT_EQ(one, other);
    EXPECT_EQ(one.count(), 3);
}

TEST(MovingChecksum, TellsThingsAndTheirNumbersApart) {
    Checksum nothing;
    Checksum one;
    one.add("a");
    Checksum two = one;
    two.add("a");
    Checksum another;
    another.add("A");
    EXPECT_NE(nothing, one);
    EXPECT_NE(one, two);
    EXPECT_NE(one, another);
}

TEST(MovingCanonical, IsOneTextForEqualValues) {
    const auto text = [](const char* written) { return canonical(json::parse(written)); };
    EXPECT_EQ(text(R"({"b": [1, 2.5, {}], "a": {"d": null, "c": true}})"),
              R"({"a":{"c":true,"d":null},"b":[1,2.5,{}]})");
    EXPECT_EQ(text("[1e2, 100.0, -3.0, []]"), "[100,100,-3,[]]");
    EXPECT_EQ(text("0.1"), text("1e-1"));
    EXPECT_NE(text("0.1"), text("0.10000000000000002"));
    EXPECT_EQ(text("9007199254740993"), "9007199254740993");
    EXPECT_NE(text("1e300"), text("1e301"));
    EXPECT_EQ(text(R"("a\"\u00e9\n")"), "\"a\\\"é\\n\"");
}

}  // namespace
}  // namespace spaktok::moving
