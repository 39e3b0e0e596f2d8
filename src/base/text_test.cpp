#include "base/text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace spaktok::text {
namespace {

TEST(Text, CountsCodePointsAndRefusesWhatIsNotUtf8) {
    EXPECT_EQ(length(""), 0U);
    EXPECT_EQ(length("aé€😀"), 4U);
    for (const auto* bad :
         {"\x80", "\xc0\xaf", "\xc1\x81", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "a\xff"}) {
        EXPECT_FALSE(length(bad)) << bad;
    }
}

TEST(Text, TrimsWhiteSpaceOfBothKindsAtBothEnds) {
    EXPECT_EQ(trim("\u3000 \ta b\u00a0\n"), "a b");
    EXPECT_EQ(trim(" \n "), "");
    EXPECT_EQ(trim("é"), "é");
}

TEST(Text, FindsControlCharacters) {
    EXPECT_TRUE(has_control("a\nb"));
    EXPECT_FALSE(has_control("a\nb", "\n"));
    EXPECT_TRUE(
        has_control("a\u0085"
                    "b"));
    EXPECT_TRUE(has_control("a\x7f"));
    EXPECT_FALSE(has_control("héllo 😀"));
}

TEST(Text, PrefixNeverCutsACodePoint) {
    EXPECT_EQ(prefix("a😀b", 2), "a😀");
    EXPECT_EQ(prefix("a", 5), "a");
}

TEST(Text, CheckedAcceptsTheLimitsAndRefusesOnePast) {
    const Limits limits{.length_min = 2, .length_max = 3};
    EXPECT_EQ(checked("  é😀 ", "f", limits), "é😀");
    EXPECT_EQ(checked("abc", "f", limits), "abc");
    for (const auto* bad : {" a ", "abcd", "a\nb", "ab\xff"}) {
        try {
            checked(bad, "f", limits);
            ADD_FAILURE() << bad;
        } catch (const Error& error) {
            EXPECT_EQ(error.field(), "f");
        }
    }
    EXPECT_EQ(checked("a\nb", "f", {.length_max = 3, .lines = true}), "a\nb");
}

}  // namespace
}  // namespace spaktok::text
