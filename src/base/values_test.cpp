#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/money.h"
#include "base/object_id.h"
#include "base/random.h"
#include "base/timestamp.h"
#include "base/uuid.h"

namespace spaktok {
namespace {

const Timestamp some_day = *parse_rfc3339("2026-01-31T08:09:10.123Z");

TEST(Uuid, VersionSevenCarriesItsMillisecondVersionAndVariant) {
    SeededRandom random(1);
    const Uuid id = Uuid::v7(some_day, random);
    EXPECT_EQ(id.timestamp(), some_day);
    EXPECT_EQ(id.to_string()[14], '7');
    EXPECT_NE(std::string("89ab").find(id.to_string()[19]), std::string::npos);
}

TEST(Uuid, SortsByTimeAsTextAndAsValue) {
    SeededRandom random(2);
    const Uuid earlier = Uuid::v7(some_day, random);
    const Uuid later = Uuid::v7(some_day + std::chrono::milliseconds(1), random);
    EXPECT_LT(earlier, later);
    EXPECT_LT(earlier.to_string(), later.to_string());
}

TEST(Uuid, ParsesOnlyTheCanonicalForm) {
    SeededRandom random(3);
    const Uuid id = Uuid::v7(some_day, random);
    EXPECT_EQ(Uuid::parse(id.to_string()), id);
    EXPECT_EQ(Uuid::parse("0190A5B0-0000-7000-8000-00000000000F"),
              Uuid::parse("0190a5b0-0000-7000-8000-00000000000f"));
    for (const auto* text :
         {"", "0190a5b0000070008000000000000000", "0190a5b0-0000-7000-8000-00000000000",
          "0190a5b0-0000-7000-8000-0000000000000", "0190a5b0-0000-7000-8000-00000000000g",
          "0190a5b00-000-7000-8000-00000000000f", "{190a5b0-0000-7000-8000-00000000000f"}) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
}

TEST(ObjectId, IsUniqueAndRoundTripsAsText) {
    SeededRandom random(4);
    std::set<ObjectId> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto id = ObjectId::make(some_day, random);
        EXPECT_EQ(ObjectId::parse(id.to_string()), id);
        seen.insert(id);
    }
    EXPECT_EQ(seen.size(), 1000U);
    EXPECT_FALSE(ObjectId::parse("0123456789abcdef0123456"));
    EXPECT_FALSE(ObjectId::parse("0123456789abcdef01234567f"));
    EXPECT_FALSE(ObjectId::parse("0123456789abcdef0123456x"));
}

TEST(Timestamp, ReadsWhatItWrites) {
    for (const std::int64_t milliseconds : {0LL, 1LL, 999LL, 951'782'400'000LL, 253'402'300'799'999LL}) {
        const auto at = from_unix_milliseconds(milliseconds);
        EXPECT_EQ(to_rfc3339(at).size(), 24U);
        EXPECT_EQ(parse_rfc3339(to_rfc3339(at)), at);
    }
    EXPECT_EQ(to_rfc3339(some_day), "2026-01-31T08:09:10.123Z");
}

TEST(Timestamp, AcceptsOffsetsAndCutsDecimalsBeyondMilliseconds) {
    EXPECT_EQ(parse_rfc3339("2026-01-31T10:09:10.123999+02:00"), some_day);
    EXPECT_EQ(parse_rfc3339("2026-01-31T03:39:10.123-04:30"), some_day);
    EXPECT_EQ(parse_rfc3339("2026-01-31t08:09:10.123z"), some_day);
    EXPECT_EQ(parse_rfc3339("2026-01-31T08:09:10Z"), some_day - std::chrono::milliseconds(123));
}

TEST(Timestamp, RefusesWhatIsNoMoment) {
    for (const auto* text :
         {"", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T08:60:00Z",
          "2026-01-31T08:00:60Z", "2026-01-31T08:00:00", "2026-01-31T08:00:00.Z", "1969-12-31T23:59:59Z",
          "1970-01-01T00:00:00+01:00", "2026-01-31T08:00:00Z ", "2026-1-31T08:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(Money, ReadsAndWritesTwoDecimals) {
    EXPECT_EQ(Money::parse("12"), Money::from_minor(1200));
    EXPECT_EQ(Money::parse("12.3"), Money::from_minor(1230));
    EXPECT_EQ(Money::parse("-0.05"), Money::from_minor(-5));
    EXPECT_EQ(Money::from_minor(-5).to_string(), "-0.05");
    EXPECT_EQ(Money::from_minor(std::numeric_limits<std::int64_t>::min()).to_string(),
              "-92233720368547758.08");
    for (const auto* text : {"", ".5", "1.", "1.234", "1e3", "1,0", "--1", "99999999999999999999"}) {
        EXPECT_FALSE(Money::parse(text)) << text;
    }
}

TEST(MoneyDeathTest, OverflowAborts) {
    const auto most = Money::from_minor(std::numeric_limits<std::int64_t>::max());
    EXPECT_DEATH({ [[maybe_unused]] auto sum = most + Money::from_minor(1); }, "assertion failed");
}

TEST(Random, BelowIsUniformEnoughAndInRange) {
    SeededRandom random(5);
    std::array<int, 6> counts{};
    for (int i = 0; i < 60'000; ++i)
        ++counts[random.below(6)];
    for (const int count : counts)
        EXPECT_NEAR(count, 10'000, 500);
}

TEST(Random, TokensAreBase64UrlOfTheirBytes) {
    SystemRandom random;
    const auto token = random.token(32);
    EXPECT_EQ(token.size(), 43U);
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_NE(token, random.token(32));
}

enum class Mood { calm, loud };
BOOST_DESCRIBE_ENUM(Mood, calm, loud)

struct Part {
    std::string name;
    int size = 0;
};
BOOST_DESCRIBE_STRUCT(Part, (), (name, size))

struct Whole {
    UserId id;
    Mood mood = Mood::calm;
    Timestamp created_at{};
    Money price;
    std::optional<std::string> note;
    std::vector<Part> parts;
};
BOOST_DESCRIBE_STRUCT(Whole, (), (id, mood, created_at, price, note, parts))

struct Nothing {};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

TEST(Json, DescribedStructsRoundTrip) {
    SeededRandom random(6);
    const Whole whole{.id = UserId::make(some_day, random),
                      .mood = Mood::loud,
                      .created_at = some_day,
                      .price = Money::from_minor(250),
                      .note = "n",
                      .parts = {{"a", 1}, {"b", 2}}};
    const auto again = json::from_value<Whole>(json::parse(json::serialize(whole)));
    EXPECT_EQ(json::serialize(again), json::serialize(whole));
    EXPECT_EQ(again.parts.at(1).size, 2);
}

TEST(Json, TextIsThatOfTheValue) {
    SeededRandom random(7);
    const std::vector<Whole> all{
        {},
        {.id = UserId::make(some_day, random), .note = "", .parts = {{}, {"\"\\\n\x01 é 🎁", -5}}},
        {.mood = Mood::loud, .price = Money::from_minor(-1), .note = std::nullopt},
    };
    for (const auto& whole : all)
        EXPECT_EQ(json::parse(json::serialize(whole)), json::to_value(whole));
    EXPECT_EQ(json::parse(json::serialize(all)), json::to_value(all));
    EXPECT_EQ(json::serialize(std::vector<int>{}), "[]");
    EXPECT_EQ(json::serialize(Nothing{}), "{}");
    EXPECT_EQ(json::serialize(true), "true");
    EXPECT_EQ(json::serialize(json::Value{{"a", 0.5}}), R"({"a":5E-1})");
}

struct BadJson {
    const char* text;
    const char* field;
};
class JsonReading : public testing::TestWithParam<BadJson> {};

TEST_P(JsonReading, NamesTheFieldThatIsWrong) {
    try {
        json::from_value<Whole>(json::parse(GetParam().text));
        FAIL() << "accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
        EXPECT_EQ(error.field(), GetParam().field);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonReading,
    testing::Values(
        BadJson{"[]", ""}, BadJson{"{}", "id"}, BadJson{R"({"id":"x"})", "id"}, BadJson{R"({"id":7})", "id"},
        BadJson{R"({"id":"0190a5b0-0000-7000-8000-00000000000f","mood":"sad"})", "mood"},
        BadJson{R"({"id":"0190a5b0-0000-7000-8000-00000000000f","mood":"calm","created_at":"x"})",
                "created_at"},
        BadJson{
            R"({"id":"0190a5b0-0000-7000-8000-00000000000f","mood":"calm","created_at":"2026-01-31T08:00:00Z","price":1.5})",
            "price"},
        BadJson{
            R"({"id":"0190a5b0-0000-7000-8000-00000000000f","mood":"calm","created_at":"2026-01-31T08:00:00Z","price":1,"parts":[{"name":"a","size":99999999999}]})",
            "parts.size"}));

TEST(Json, RefusesZeroCharactersAndTooDeepNesting) {
    EXPECT_THROW(json::parse(R"({"a":"x\u0000y"})"), Error);
    EXPECT_THROW(json::parse(R"({"a\u0000":1})"), Error);
    EXPECT_NO_THROW(json::parse("[[[[1]]]]", 4));
    EXPECT_THROW(json::parse("[[[[[1]]]]]", 4), Error);
    EXPECT_THROW(json::parse("{\"a\":"), Error);
}

}  // namespace
}  // namespace spaktok
