#include "features/paging/page.h"

#include "features/testing/world.h"

namespace spaktok::paging {

using features_testing::failure_of;

namespace {

TEST(Cursor, BringsBackWhatItWasMadeOf) {
    EXPECT_EQ(decode_cursor("streams", 2, encode_cursor("streams", {"ü", ""})),
              (std::vector<std::string>{"ü", ""}));
    EXPECT_EQ(decode_cursor("streams", 2, std::nullopt), std::nullopt);
    const TimeAndId place{.at = from_unix_milliseconds(1'769'846'950'123),
                          .id = *Uuid::parse("019a5b0c-7e1f-7c3a-9b1e-2f6d1c0a4e55")};
    const auto cursor = encode_cursor("followers", place);
    EXPECT_LE(cursor.size(), cursor_length_max);
    EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    const auto back = decode_time_and_id("followers", cursor);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->at, place.at);
    EXPECT_EQ(back->id, place.id);
}

TEST(Cursor, OfAnotherListOrOfNobodyIsRefused) {
    const std::string id = "019a5b0c-7e1f-7c3a-9b1e-2f6d1c0a4e55";
    for (const auto& cursor :
         {std::string(), std::string("!!"), std::string("abc"), std::string(201, 'a'),
          encode_cursor("following", {"1", id}), encode_cursor("followers", {"1"}),
          encode_cursor("followers", {"1", id, ""}), encode_cursor("followers", {"", id}),
          encode_cursor("followers", {"-1", id}), encode_cursor("followers", {"1x", id}),
          encode_cursor("followers", {"99999999999999999999", id}), encode_cursor("followers", {"1", "x"})}) {
        EXPECT_EQ(failure_of([&] { decode_time_and_id("followers", cursor); }),
                  "invalid_argument invalid_cursor cursor")
            << cursor;
    }
}

}  // namespace
}  // namespace spaktok::paging
