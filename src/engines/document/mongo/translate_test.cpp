#include "engines/document/mongo/translate.h"

#include <gtest/gtest.h>

#include "engines/document/shape.h"

namespace spaktok::document::mongo {

using std::string_literals::operator""s;

namespace {

const DocumentShape shape{{"_id", FieldType::object_id},
                          {"user_id", FieldType::uuid},
                          {"at", FieldType::timestamp},
                          {"members", FieldType::uuid},
                          {"text", FieldType::plain}};
const Uuid user = *Uuid::parse("018bd1c2-0000-7000-8000-0123456789ab");
constexpr const char* user_in_json =
    R"({ "$binary" : { "base64" : "AYvRwgAAcACAAAEjRWeJqw==", "subType" : "04" } })";
constexpr Timestamp noon = Timestamp{std::chrono::milliseconds{1'700'000'000'007}};
constexpr const char* noon_in_json = R"({ "$date" : { "$numberLong" : "1700000000007" } })";

std::string text_of(const Bson& document) {
    char* text = bson_as_canonical_extended_json(document.get(), nullptr);
    const std::string result(text);
    bson_free(text);
    return result;
}

std::string stored(std::string_view document) {
    json::Object object = json::parse(document).as_object();
    make_storable(object, shape);
    return text_of(encode(object, shape));
}

}  // namespace

TEST(MongoTranslate, StoresFieldsOfTheShapeWithTheirTypes) {
    EXPECT_EQ(stored(R"({"_id":"65536FA00123456789ABCDEF","user_id":"018BD1C2-0000-7000-8000-0123456789AB",
                         "at":"2023-11-14T23:13:20.007+01:00"})"),
              R"({ "_id" : { "$oid" : "65536fa00123456789abcdef" }, "user_id" : )" +
                  std::string(user_in_json) + R"(, "at" : )" + noon_in_json + " }");
}

TEST(MongoTranslate, StoresTheItemsOfAnArrayWithTheirTypes) {
    EXPECT_EQ(
        stored(R"({"_id":"65536fa00123456789abcdef","members":["018bd1c2-0000-7000-8000-0123456789ab"]})"),
        R"({ "_id" : { "$oid" : "65536fa00123456789abcdef" }, "members" : [ )" + std::string(user_in_json) +
            " ] }");
}

TEST(MongoTranslate, StoresWhatIsInsideAMemberAsTheJsonThatItIs) {
    EXPECT_EQ(
        stored(
            R"({"_id":"65536fa00123456789abcdef","text":{"user_id":"018bd1c2-0000-7000-8000-0123456789ab","n":1}})"),
        R"({ "_id" : { "$oid" : "65536fa00123456789abcdef" }, )"
        R"("text" : { "user_id" : "018bd1c2-0000-7000-8000-0123456789ab", "n" : { "$numberLong" : "1" } } })");
}

TEST(MongoTranslate, LeavesNullMembersOutAndNullItemsIn) {
    EXPECT_EQ(stored(R"({"_id":"65536fa00123456789abcdef","at":null,"text":{"a":null,"b":[null]}})"),
              R"({ "_id" : { "$oid" : "65536fa00123456789abcdef" }, "text" : { "b" : [ null ] } })");
}

TEST(MongoTranslate, TakesWholeNumbersUpTo64BitsAndNoMore) {
    EXPECT_NE(stored(R"({"_id":"65536fa00123456789abcdef","text":9223372036854775807})")
                  .find("9223372036854775807"),
              std::string::npos);
    EXPECT_THROW(stored(R"({"_id":"65536fa00123456789abcdef","text":9223372036854775808})"), Error);
}

TEST(MongoTranslate, ReadsWhatItWrote) {
    json::Object object = json::parse(R"({"_id":"65536fa00123456789abcdef",
        "user_id":"018bd1c2-0000-7000-8000-0123456789ab","at":"2023-11-14T22:13:20.007Z",
        "members":["018bd1c2-0000-7000-8000-0123456789ab"],"text":{"a":[1,-2.5,true,"x"]}})")
                              .as_object();
    EXPECT_EQ(decode(*encode(object, shape), shape), object);
}

TEST(MongoTranslate, ReadsAMissingFieldOfTheShapeAsNull) {
    const json::Object object{{"_id", "65536fa00123456789abcdef"}, {"other", 1}};
    const json::Object read = decode(*encode(object, shape), shape);
    EXPECT_TRUE(read.at("user_id").is_null());
    EXPECT_EQ(read.size(), 6u);
}

TEST(MongoTranslate, RefusesToReadTypesThatItNeverWrites) {
    const Bson document = make_bson();
    bson_append_regex(document.get(), "text", -1, "a", "");
    EXPECT_THROW(decode(*document, shape), Error);
    const Bson binary = make_bson();
    bson_append_binary(binary.get(), "user_id", -1, BSON_SUBTYPE_BINARY, user.bytes().data(), 16);
    EXPECT_THROW(decode(*binary, shape), Error);
}

TEST(MongoTranslate, FiltersSayTheirTypesByTheField) {
    const std::string user_json = user_in_json;
    const std::string noon_json = noon_in_json;
    const struct {
        Filter filter;
        std::string text;
    } cases[] = {
        {{}, "{ }"},
        {{eq("user_id", user)}, R"({ "user_id" : )" + user_json + " }"},
        {{eq("text", user)}, R"({ "text" : "018bd1c2-0000-7000-8000-0123456789ab" })"},
        {{lt("at", noon)}, R"({ "at" : { "$lt" : )" + noon_json + " } }"},
        {{eq("at", Value{})}, R"({ "at" : null })"},
        {{eq("text.a", true), ne("at", Value{})}, R"({ "text.a" : true, "at" : { "$ne" : null } })"},
        {{in("text", {"a"s, Value{}})}, R"({ "text" : { "$in" : [ "a", null ] } })"},
        {{gte("text", "a"s), lt("text", "b"s)}, R"({ "text" : { "$gte" : "a", "$lt" : "b" } })"},
        {{eq("text", "a"s), ne("text", "b"s)}, R"({ "text" : { "$eq" : "a", "$ne" : "b" } })"},
        {{ne("text", "a"s), ne("text", "b"s), lte("at", noon)},
         R"({ "$and" : [ { "text" : { "$ne" : "a" }, "at" : { "$lte" : )" + noon_json +
             R"( } }, { "text" : { "$ne" : "b" } } ] })"},
    };
    for (const auto& each : cases)
        EXPECT_EQ(text_of(translate(each.filter, shape)), each.text);
}

TEST(MongoTranslate, UpdatesAreGroupedByOperator) {
    EXPECT_EQ(
        text_of(translate({set("at", noon), increment("n", 2), set("text", Value{}), unset("gone"),
                           max("m", 2.5), set("user_id", user)},
                          shape)),
        R"({ "$set" : { "at" : )" + std::string(noon_in_json) + R"(, "user_id" : )" + user_in_json +
            R"( }, "$unset" : { "text" : null, "gone" : null }, "$inc" : { "n" : { "$numberLong" : "2" } }, )"
            R"("$max" : { "m" : { "$numberDouble" : "2.5" } } })");
}

TEST(MongoTranslate, ArraysKeepTheirNewestAndLoseByValue) {
    EXPECT_EQ(text_of(translate({push("a", "x", 3), add_to_set("members", user), pull("text", "y"s)}, shape)),
              R"({ "$push" : { "a" : { "$each" : [ "x" ], "$slice" : { "$numberLong" : "-3" } } }, )"
              R"("$addToSet" : { "members" : )" +
                  std::string(user_in_json) + R"( }, "$pullAll" : { "text" : [ "y" ] } })");
}

TEST(MongoTranslate, ASortHasAFieldOnce) {
    EXPECT_EQ(text_of(translate(
                  std::vector<Sort>{{.field = "a", .descending = true}, {.field = "b"}, {.field = "a"}})),
              R"({ "a" : { "$numberInt" : "-1" }, "b" : { "$numberInt" : "1" } })");
}

TEST(MongoTranslate, IndexesSayWhichDocumentsTheyHold) {
    const auto text = [](const Index& index) {
        std::string all;
        for (const auto& each : translate(index))
            all += text_of(each);
        return all;
    };
    EXPECT_EQ(
        text({.name = "pair",
              .fields = {{.field = "a"}, {.field = "b", .descending = true}},
              .unique = true,
              .sparse = true}),
        R"({ "name" : "pair", "key" : { "a" : { "$numberInt" : "1" }, "b" : { "$numberInt" : "-1" } }, )"
        R"("unique" : true, )"
        R"("partialFilterExpression" : { "a" : { "$exists" : true }, "b" : { "$exists" : true } } })");
    EXPECT_EQ(text({.name = "at", .fields = {{.field = "at"}}, .expires_at_field = "at"}),
              R"({ "name" : "at", "key" : { "at" : { "$numberInt" : "1" } }, )"
              R"("expireAfterSeconds" : { "$numberInt" : "86400" } })");
    EXPECT_EQ(text({.name = "by", .fields = {{.field = "text"}}, .expires_at_field = "at"}),
              R"({ "name" : "by", "key" : { "text" : { "$numberInt" : "1" } } })"
              R"({ "name" : "by_expiry", "key" : { "at" : { "$numberInt" : "1" } }, )"
              R"("expireAfterSeconds" : { "$numberInt" : "86400" } })");
}

TEST(MongoTranslate, FindsTheRefusingIndexInTheServersMessage) {
    EXPECT_EQ(
        refusing_index(
            "E11000 duplicate key error collection: t.notes index: slug dup key: { slug: \" index: x \" }"),
        "slug");
    EXPECT_EQ(
        refusing_index("E11000 duplicate key error collection: t.notes index: _id_ dup key: { _id: 1 }"),
        "_id");
    EXPECT_EQ(refusing_index("something else"), "");
}

}  // namespace spaktok::document::mongo
