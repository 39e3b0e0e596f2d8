#include "engines/document/document_contract_suite.h"

#include <atomic>
#include <cctype>
#include <set>

#include "engines/document/limits.h"

namespace spaktok::document::contract {

using std::string_literals::operator""s;

using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;

std::vector<Adapter> all_adapters() {
    return {
        {"sqlite", [] { return std::make_unique<FolderPlace>("sqlite:", "documents.db"); }},
        {"mongo", [] { return std::make_unique<MongoPlace>(); }},
    };
}

INSTANTIATE_TEST_SUITE_P(Adapters, DocumentContract, testing::ValuesIn(all_adapters()),
                         engines::testing::adapter_name);
INSTANTIATE_TEST_SUITE_P(Adapters, DocumentContractConcurrent, testing::ValuesIn(all_adapters()),
                         engines::testing::adapter_name);

namespace {

constexpr Timestamp noon = Timestamp{std::chrono::milliseconds{1'700'000'000'000}};

std::vector<Index> indexes() {
    return {
        {.name = "owner_title", .fields = {{.field = "owner_id"}, {.field = "title"}}, .unique = true},
        {.name = "slug", .fields = {{.field = "slug"}}, .unique = true, .sparse = true},
        {.name = "written", .fields = {{.field = "written_at", .descending = true}}},
    };
}

std::string upper(std::string text) {
    for (auto& c : text)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

std::string refusing_index(boost::asio::awaitable<void> work) {
    try {
        run(std::move(work));
    } catch (const DuplicateKey& duplicate) {
        return duplicate.index();
    }
    return "none";
}

}  // namespace

void DocumentContract::reopen() {
    store_.reset();
    store_ = open(place_->url());
    notes_.emplace(*store_, "notes");
    run(notes_->ensure(indexes()));
}

Note DocumentContract::make_note() {
    Note note{._id = ObjectId::make(noon, random_), .owner_id = Uuid::v7(noon, random_), .written_at = noon};
    note.title = "note " + std::to_string(++made_);
    return note;
}

Note DocumentContract::insert_note(Note note) {
    run(notes().insert(note));
    return note;
}

std::vector<std::string> DocumentContract::titles(Filter filter, FindOptions options) {
    if (options.sort.empty()) options.sort = {{.field = "_id"}};
    std::vector<std::string> result;
    for (const auto& note : run(notes().find(std::move(filter), std::move(options))))
        result.push_back(note.title);
    return result;
}

using Titles = std::vector<std::string>;

TEST_P(DocumentContract, FindsADocumentAsItWasInserted) {
    Note note = make_note();
    note.title = "quotes ' \" and \\ — ünïcode 🎈";
    note.likes = INT64_MAX;
    note.weight = -0.1;
    note.is_pinned = true;
    note.mood = Mood::wild;
    note.written_at = noon + std::chrono::milliseconds(7);
    note.deleted_at = noon;
    note.slug = "";
    note.tags = {"a", "b", "a"};
    note.readers = {note.owner_id, Uuid{}};
    note.origin = {.city = "Kraków", .floor = -1};
    insert_note(note);
    EXPECT_EQ(run(notes().find_one({eq("_id", note._id)})), note);
}

TEST_P(DocumentContract, ComparesEveryKindOfValue) {
    Note small = make_note();
    small.likes = 9;
    small.weight = 0.5;
    small.slug = "b";
    Note large = make_note();
    large.likes = 10;  // a text would sort before 9
    large.weight = 1;
    large.slug = "c";
    large.is_pinned = true;
    large.mood = Mood::wild;
    large.written_at = noon + std::chrono::milliseconds(1);
    large.deleted_at = noon;
    large.origin.floor = 3;
    insert_note(small);
    insert_note(large);
    const Titles first{"note 1"};
    const Titles second{"note 2"};
    const Titles both{"note 1", "note 2"};
    const struct {
        Filter filter;
        Titles found;
    } cases[] = {
        {{}, both},
        {{eq("likes", std::int64_t{10})}, second},
        {{ne("likes", std::int64_t{10})}, first},
        {{lt("likes", std::int64_t{10})}, first},
        {{lte("likes", std::int64_t{10})}, both},
        {{gt("likes", std::int64_t{9})}, second},
        {{gte("likes", std::int64_t{9})}, both},
        {{gt("weight", 0.5)}, second},
        {{eq("weight", std::int64_t{1})}, second},
        {{eq("is_pinned", true)}, second},
        {{eq("is_pinned", false)}, first},
        {{eq("mood", "wild"s)}, second},
        {{gt("slug", "b"s)}, second},
        {{eq("owner_id", small.owner_id)}, first},
        {{eq("owner_id", upper(small.owner_id.to_string()))}, first},
        {{eq("_id", large._id)}, second},
        {{gt("_id", small._id)}, second},
        {{gt("written_at", noon)}, second},
        {{gte("written_at", noon)}, both},
        {{lt("written_at", noon + std::chrono::milliseconds(1))}, first},
        {{eq("written_at", "2023-11-14T23:13:20+01:00"s)}, first},
        {{eq("deleted_at", Value{})}, first},
        {{ne("deleted_at", Value{})}, second},
        {{ne("deleted_at", noon)}, first},
        {{lte("deleted_at", noon)}, second},
        {{eq("origin.floor", std::int64_t{3})}, second},
        {{eq("no_such_field", Value{})}, both},
        {{in("likes", {std::int64_t{8}, std::int64_t{9}})}, first},
        {{in("slug", {"c"s, "d"s})}, second},
        {{in("deleted_at", {Value{}, noon})}, both},
        {{in("owner_id", {small.owner_id, large.owner_id})}, both},
        {{in("is_pinned", {true})}, second},
        {{in("likes", {})}, {}},
        {{gte("likes", std::int64_t{9}), lt("weight", 1.0)}, first},
        {{gte("likes", std::int64_t{10}), lt("weight", 1.0)}, {}},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        EXPECT_EQ(titles(cases[i].filter), cases[i].found) << "case " << i;
        EXPECT_EQ(run(notes().count(cases[i].filter)), static_cast<std::int64_t>(cases[i].found.size()))
            << "case " << i;
    }
}

TEST_P(DocumentContract, SortsByFieldsInOrderAndCutsAtTheLimit) {
    for (const int likes : {2, 1, 2, 3}) {
        Note note = make_note();
        note.likes = likes;
        note.weight = -made_;
        insert_note(note);
    }
    const std::vector<Sort> by_likes{{.field = "likes", .descending = true}, {.field = "weight"}};
    EXPECT_EQ(titles({}, {.sort = by_likes}), (Titles{"note 4", "note 3", "note 1", "note 2"}));
    EXPECT_EQ(titles({}, {.sort = by_likes, .limit = 2}), (Titles{"note 4", "note 3"}));
}

TEST_P(DocumentContract, SortsTimesAsTimes) {
    using std::chrono::milliseconds;
    const std::vector<Timestamp> moments{noon, Timestamp{milliseconds{0}}, noon + milliseconds{100},
                                         noon + milliseconds{20}, Timestamp{milliseconds{253402300799999}}};
    for (const auto at : moments) {
        Note note = make_note();
        note.written_at = at;
        insert_note(note);
    }
    EXPECT_EQ(titles({}, {.sort = {{.field = "written_at"}}}),
              (Titles{"note 2", "note 1", "note 4", "note 3", "note 5"}));
}

TEST_P(DocumentContract, NamesTheUniqueIndexThatRefusedADocument) {
    Note first = make_note();
    first.slug = "taken";
    insert_note(first);
    Note same_id = make_note();
    same_id._id = first._id;
    EXPECT_EQ(refusing_index(notes().insert(same_id)), "_id");
    Note same_pair = make_note();
    same_pair.owner_id = first.owner_id;
    same_pair.title = first.title;
    EXPECT_EQ(refusing_index(notes().insert(same_pair)), "owner_title");
    Note same_slug = make_note();
    same_slug.slug = first.slug;
    EXPECT_EQ(refusing_index(notes().insert(same_slug)), "slug");
    EXPECT_EQ(run(notes().count({})), 1);
}

TEST_P(DocumentContract, ASparseIndexDoesNotSeeDocumentsWithoutItsField) {
    insert_note(make_note());
    insert_note(make_note());
    EXPECT_EQ(run(notes().count({eq("slug", Value{})})), 2);
}

TEST_P(DocumentContract, InsertManyGivesEachDocumentItsOutcome) {
    Note stored = make_note();
    stored.slug = "taken";
    insert_note(stored);
    Note duplicate = make_note();
    duplicate.slug = "taken";
    const Note good = make_note();
    Note same_id = make_note();
    same_id._id = good._id;
    const auto outcomes = run(notes().insert_many({duplicate, good, same_id, make_note()}));
    const std::vector<std::optional<std::string>> expected{"slug", std::nullopt, "_id", std::nullopt};
    EXPECT_EQ(outcomes, expected);
    EXPECT_EQ(titles({}), (Titles{"note 1", "note 3", "note 5"}));
    EXPECT_TRUE(run(notes().insert_many({})).empty());
}

TEST_P(DocumentContract, UpdateOneReturnsTheDocumentAsItIsAfterwards) {
    Note note = make_note();
    note.tags = {"old", "gone"};
    note.slug = "slug";
    note.readers = {note.owner_id};
    insert_note(note);
    const Uuid reader = Uuid::v7(noon, random_);
    const Update update{
        set("title", "renamed"s), set("deleted_at", noon), set("origin.city", "Łódź"s),   unset("slug"),
        increment("likes", -2),   pull("tags", "gone"s),   add_to_set("readers", reader), max("weight", 2.5)};
    const auto after = run(notes().update_one({eq("_id", note._id)}, update));
    note.title = "renamed";
    note.deleted_at = noon;
    note.origin.city = "Łódź";
    note.slug.reset();
    note.likes = -2;
    note.tags = {"old"};
    note.readers.push_back(reader);
    note.weight = 2.5;
    EXPECT_EQ(after, note);
    EXPECT_EQ(run(notes().find_one({eq("_id", note._id)})), note);
}

TEST_P(DocumentContract, UpdateOneChangesOneAndTellsWhereThereIsNone) {
    insert_note(make_note());
    insert_note(make_note());
    EXPECT_TRUE(run(notes().update_one({eq("likes", std::int64_t{0})}, {increment("likes", 1)})));
    EXPECT_EQ(run(notes().count({eq("likes", std::int64_t{1})})), 1);
    EXPECT_FALSE(run(notes().update_one({eq("likes", std::int64_t{5})}, {increment("likes", 1)})));
}

TEST_P(DocumentContract, PushKeepsTheNewest) {
    const Note note = insert_note(make_note());
    for (const char* tag : {"a", "b", "c", "d"}) {
        run(notes().update_one({eq("_id", note._id)}, {push("tags", tag, 3)}));
    }
    EXPECT_EQ(run(notes().find_one({eq("_id", note._id)}))->tags, (std::vector<std::string>{"b", "c", "d"}));
}

TEST_P(DocumentContract, AddToSetAddsOnceAndMaxOnlyRaises) {
    const Note note = insert_note(make_note());
    const Filter it{eq("_id", note._id)};
    for (const int weight : {1, 3, 2}) {
        run(notes().update_one(it, {add_to_set("tags", "a"s), max("weight", static_cast<double>(weight)),
                                    max("written_at", noon + std::chrono::seconds(weight))}));
    }
    const auto after = run(notes().find_one(it));
    EXPECT_EQ(after->tags, std::vector<std::string>{"a"});
    EXPECT_EQ(after->weight, 3);
    EXPECT_EQ(after->written_at, noon + std::chrono::seconds(3));
}

TEST_P(DocumentContract, UpsertCreatesFromTheEqualConditionsOnceAndUpdatesThen) {
    run(store().ensure("counters", {{"_id", FieldType::object_id}},
                       {{.name = "room", .fields = {{.field = "room"}}, .unique = true}}));
    const auto next = [&] {
        const auto object = run(store().update_one(
            "counters", {eq("room", "r1"s), gte("seq", std::int64_t{0})}, {increment("seq", 5)}, true));
        return json::from_value<std::int64_t>(object->at("seq"));
    };
    EXPECT_EQ(next(), 5);
    EXPECT_EQ(next(), 10);
    const auto stored = run(store().find("counters", {}, {}));
    ASSERT_EQ(stored.size(), 1u);
    EXPECT_EQ(stored[0].at("room"), json::Value("r1"));
    EXPECT_TRUE(ObjectId::parse(stored[0].at("_id").get_string()));
}

TEST_P(DocumentContract, AnUpdateThatAUniqueIndexRefusesChangesNothing) {
    Note first = make_note();
    first.slug = "taken";
    insert_note(first);
    const Note second = insert_note(make_note());
    try {
        run(notes().update_one({eq("_id", second._id)}, {set("slug", "taken"s), increment("likes", 1)}));
        FAIL() << "was not refused";
    } catch (const DuplicateKey& duplicate) {
        EXPECT_EQ(duplicate.index(), "slug");
    }
    EXPECT_EQ(run(notes().find_one({eq("_id", second._id)})), second);
}

TEST_P(DocumentContract, UpdateManyAndRemoveTellHowMany) {
    for (int i = 0; i < 5; ++i) {
        Note note = make_note();
        note.likes = i;
        insert_note(note);
    }
    // What was changed matches again: it is still changed only once.
    EXPECT_EQ(run(notes().update_many({gte("likes", std::int64_t{2})}, {increment("likes", 10)})), 3);
    EXPECT_EQ(run(notes().count({gte("likes", std::int64_t{12})})), 3);
    EXPECT_EQ(run(notes().update_many({eq("likes", std::int64_t{99})}, {increment("likes", 1)})), 0);
    EXPECT_EQ(run(notes().remove({lt("likes", std::int64_t{13})})), 3);
    EXPECT_EQ(titles({}), (Titles{"note 4", "note 5"}));
    EXPECT_EQ(run(notes().remove({})), 2);
}

TEST_P(DocumentContract, RefusesWhatIsOutsideTheLimitsAndTakesWhatIsAtThem) {
    insert_note(make_note());
    const auto invalid = ErrorCode::invalid_argument;
    const Filter all;
    EXPECT_NO_THROW(run(notes().find(all, {.limit = find_limit_max})));
    EXPECT_EQ(error_of(notes().find(all, {.limit = find_limit_max + 1})), invalid);
    EXPECT_EQ(error_of(notes().find(all, {.limit = 0})), invalid);
    const auto sorts = [](std::size_t count) { return std::vector<Sort>(count, Sort{.field = "likes"}); };
    EXPECT_NO_THROW(run(notes().find(all, {.sort = sorts(sort_fields_max)})));
    EXPECT_EQ(error_of(notes().find(all, {.sort = sorts(sort_fields_max + 1)})), invalid);
    const auto conditions = [](std::size_t count) { return Filter(count, gte("likes", std::int64_t{0})); };
    EXPECT_EQ(run(notes().count(conditions(conditions_max))), 1);
    EXPECT_EQ(error_of(notes().count(conditions(conditions_max + 1))), invalid);
    const auto values = [](std::size_t count) {
        return Filter{in("likes", std::vector<Value>(count, std::int64_t{0}))};
    };
    EXPECT_EQ(run(notes().count(values(in_values_max))), 1);
    EXPECT_EQ(error_of(notes().count(values(in_values_max + 1))), invalid);
    const auto many = [&](std::size_t count) {
        std::vector<Note> documents;
        for (std::size_t i = 0; i < count; ++i)
            documents.push_back(make_note());
        return documents;
    };
    EXPECT_EQ(run(notes().insert_many(many(insert_many_max))).size(), insert_many_max);
    EXPECT_EQ(error_of(notes().insert_many(many(insert_many_max + 1))), invalid);
    const auto changes = [](std::size_t count) {
        Update update;
        for (std::size_t i = 0; i < count; ++i)
            update.push_back(set("field_" + std::to_string(i), true));
        return update;
    };
    EXPECT_EQ(run(notes().update_many({eq("title", "note 1"s)}, changes(changes_max))), 1);
    EXPECT_EQ(error_of(notes().update_many(all, changes(changes_max + 1))), invalid);
    EXPECT_EQ(error_of(notes().update_many(all, {})), invalid);
    EXPECT_EQ(error_of(notes().update_many(all, {push("tags", "a", push_slice_max + 1)})), invalid);
}

TEST_P(DocumentContract, ANullFieldCountsAsMissing) {
    run(store().ensure("notes", Collection<Note>::shape(), {}));
    json::Object note = json::to_value(make_note()).as_object();
    note["slug"] = nullptr;
    note["count"] = nullptr;
    note["words"] = nullptr;
    note["set"] = nullptr;
    note["most"] = nullptr;
    note["inner"] = {{"count", nullptr}, {"object", nullptr}};
    run(store().insert("notes", note));
    EXPECT_EQ(run(notes().count({eq("count", Value{}), eq("inner.count", Value{}), eq("words", Value{})})),
              1);
    EXPECT_EQ(run(notes().count({ne("inner.object", Value{})})), 0);
    const auto after =
        run(store().update_one("notes", {},
                               {increment("count", 1), increment("inner.count", 2), push("words", "w", 3),
                                add_to_set("set", "s"s), max("most", std::int64_t{4}),
                                set("inner.object.flag", true), pull("no_such", "x"s), set("title", Value{})},
                               false));
    ASSERT_TRUE(after);
    const auto as_text = [&](const char* name) { return boost::json::serialize(after->at(name)); };
    EXPECT_EQ(as_text("count"), "1");
    EXPECT_EQ(as_text("words"), R"(["w"])");
    EXPECT_EQ(as_text("set"), R"(["s"])");
    EXPECT_EQ(as_text("most"), "4");
    EXPECT_EQ(after->at("inner"), json::Value({{"count", 2}, {"object", {{"flag", true}}}}));
    EXPECT_TRUE(after->at("slug").is_null());  // a field of the shape
    EXPECT_EQ(run(notes().count({eq("title", Value{})})), 1);
}

TEST_P(DocumentContract, KeepsWhatIsInsideAMemberAsItIs) {
    run(store().ensure("notes", Collection<Note>::shape(), {}));
    json::Object note = json::to_value(make_note()).as_object();
    const std::string id = Uuid::v7(noon, random_).to_string();
    note["inner"] = {
        {"id", id},
        {"at", "2023-11-14T22:13:20.000Z"},
        {"numbers", json::Array{1, -2.5, INT64_MIN, 0.0}},
        {"empty", {{"object", json::Object{}}, {"array", json::Array{}}, {"text", ""}}},
        {"objects", json::Array{json::Object{{"a", true}}, json::Array{json::Array{}}, nullptr}}};
    run(store().insert("notes", note));
    EXPECT_EQ(run(store().find("notes", {}, {})).front().at("inner"), note.at("inner"));
    EXPECT_EQ(run(notes().count({eq("inner.id", id)})), 1);
    EXPECT_EQ(run(notes().count({eq("inner.id", *Uuid::parse(id))})), 1);
    EXPECT_EQ(run(notes().count({eq("inner.at", noon)})), 1);
}

TEST_P(DocumentContract, ConditionsOnOneFieldAllHold) {
    for (const int likes : {1, 2, 3, 4}) {
        Note note = make_note();
        note.likes = likes;
        insert_note(note);
    }
    const auto number = [](std::int64_t value) { return Value(value); };
    EXPECT_EQ(titles({gt("likes", number(1)), lt("likes", number(4)), ne("likes", number(2))}),
              Titles{"note 3"});
    EXPECT_EQ(titles({ne("likes", number(1)), ne("likes", number(2)), ne("likes", number(3))}),
              Titles{"note 4"});
    EXPECT_EQ(titles({eq("likes", number(1)), eq("likes", number(2))}), Titles{});
}

TEST_P(DocumentContract, AddsAndPullsItemsByTheirValue) {
    run(store().ensure("lists", {}, {}));
    const auto id = make_note()._id;
    run(store().insert("lists", {{"_id", id.to_string()}, {"items", json::Array{}}}));
    const Filter it{eq("_id", id)};
    const json::Value one{{"id", 1}, {"word", "a"}};
    const json::Value two{{"id", 2}, {"word", "b"}};
    for (const auto& item : {one, two, one, one})
        run(store().update_one("lists", it, {add_to_set("items", item)}, false));
    EXPECT_EQ(run(store().find("lists", it, {})).front().at("items"), json::Value(json::Array{one, two}));
    run(store().update_one("lists", it, {push("items", json::Array{1}, 5), pull("other", one)}, false));
    run(store().update_one("lists", it, {pull("items", one)}, false));
    EXPECT_EQ(run(store().find("lists", it, {})).front().at("items"),
              json::Value(json::Array{two, json::Array{1}}));
}

TEST_P(DocumentContract, ChangesAndRemovesMoreThanFitInOneBatch) {
    std::vector<Note> many;
    for (std::size_t i = 0; i < insert_many_max; ++i)
        many.push_back(make_note());
    const Note kept = insert_note(make_note());
    run(notes().insert_many(many));
    EXPECT_EQ(run(notes().update_many({ne("_id", kept._id)}, {increment("likes", 1)})), insert_many_max);
    EXPECT_EQ(run(notes().count({eq("likes", std::int64_t{1})})), insert_many_max);
    EXPECT_EQ(run(notes().update_many({in("_id", {kept._id, many[0]._id})}, {increment("likes", 1)})), 2);
    EXPECT_EQ(run(notes().remove({eq("_id", many[1]._id)})), 1);
    EXPECT_EQ(run(notes().remove({gte("likes", std::int64_t{1}), ne("_id", kept._id)})), insert_many_max - 1);
    EXPECT_EQ(run(notes().count({})), 1);
}

TEST_P(DocumentContract, RefusesAnUpdateByWhichADocumentBecomesTooLarge) {
    run(store().ensure("lists", {}, {}));
    const auto id = make_note()._id.to_string();
    const std::string text(document_bytes_max / 2, 'x');
    const json::Value item = json::to_value(text);
    run(store().insert("lists", {{"_id", id}, {"items", json::Array{text}}}));
    const auto before = run(store().find("lists", {}, {}));
    EXPECT_EQ(error_of(store().update_one("lists", {}, {push("items", item, 9)}, false)),
              ErrorCode::payload_too_large);
    EXPECT_EQ(error_of(store().update_many("lists", {}, {add_to_set("items", text + "y")})),
              ErrorCode::payload_too_large);
    EXPECT_EQ(run(store().find("lists", {}, {})), before);
    EXPECT_TRUE(run(store().update_one("lists", {}, {push("items", item, 1)}, false)));
}

TEST_P(DocumentContract, RefusesADocumentThatIsTooLarge) {
    Note note = make_note();
    const std::size_t rest = json::serialize(note).size() - note.title.size();
    note.title = std::string(document_bytes_max - rest, 'x');
    insert_note(note);
    EXPECT_EQ(error_of(notes().update_one({eq("_id", note._id)}, {set("title", note.title + "x")})),
              ErrorCode::payload_too_large);
    Note larger = make_note();
    larger.title = note.title + "x";
    EXPECT_EQ(error_of(notes().insert(larger)), ErrorCode::payload_too_large);
}

TEST_P(DocumentContract, RefusesNamesThatAreNone) {
    for (const char* name : {"", "a b", "A", "1a", "a.", ".a", "a..b", "a'b", "a')--", "$where", "a-b"}) {
        EXPECT_EQ(error_of(notes().count({eq(name, true)})), ErrorCode::invalid_argument) << name;
        EXPECT_EQ(error_of(notes().find({}, {.sort = {{.field = name}}})), ErrorCode::invalid_argument)
            << name;
        EXPECT_EQ(error_of(notes().update_many({}, {set(name, true)})), ErrorCode::invalid_argument) << name;
        EXPECT_EQ(error_of(store().ensure(name, {}, {})), ErrorCode::invalid_argument) << name;
        EXPECT_EQ(error_of(store().ensure("notes", {}, {{.name = "i", .fields = {{.field = name}}}})),
                  ErrorCode::invalid_argument);
    }
    EXPECT_EQ(run(notes().count({eq(std::string(field_name_max, 'a'), Value{})})), 0);
    EXPECT_EQ(error_of(notes().count({eq(std::string(field_name_max + 1, 'a'), Value{})})),
              ErrorCode::invalid_argument);
}

TEST_P(DocumentContract, RefusesUpdatesThatHaveNoMeaning) {
    Note note = make_note();
    insert_note(note);
    const auto refused = [&](Update update) {
        return error_of(notes().update_one({eq("_id", note._id)}, std::move(update))) ==
               ErrorCode::invalid_argument;
    };
    EXPECT_TRUE(refused({set("_id", ObjectId{})}));
    EXPECT_TRUE(refused({set("likes", true), increment("likes", 1)}));
    EXPECT_TRUE(refused({set("origin", "x"s), set("origin.city", "y"s)}));
    EXPECT_TRUE(refused({increment("title", 1)}));
    EXPECT_TRUE(refused({push("title", "x", 1)}));
    EXPECT_TRUE(refused({set("title.inner", "x"s)}));
    EXPECT_TRUE(refused({max("likes", Value{})}));
    EXPECT_EQ(run(notes().find_one({eq("_id", note._id)})), note);
}

TEST_P(DocumentContract, RefusesTextWithTheCharacterZeroAndWhatIsNoUtf8) {
    for (const std::string& title :
         {std::string("a\0b", 3), std::string("\xff"), std::string("\xed\xa0\x80")}) {
        Note note = make_note();
        note.title = title;
        EXPECT_EQ(error_of(notes().insert(note)), ErrorCode::invalid_argument);
        EXPECT_EQ(error_of(notes().update_one({eq("title", "none"s)}, {set("title", title)}, true)),
                  ErrorCode::invalid_argument);
        EXPECT_EQ(error_of(notes().count({eq("title", title)})), ErrorCode::invalid_argument);
    }
    EXPECT_EQ(run(notes().count({})), 0);
}

TEST_P(DocumentContract, TakesNestingUpToTheLimitAndRefusesMore) {
    run(store().ensure("nested", {}, {}));
    const auto nested = [this](std::size_t depth) {
        json::Value value = true;
        for (std::size_t i = 0; i < depth; ++i)
            value = json::Array{value};
        return json::Object{{"_id", make_note()._id.to_string()}, {"value", value}};
    };
    const json::Object deepest = nested(depth_max - 1);  // the document itself is one more
    run(store().insert("nested", deepest));
    EXPECT_EQ(run(store().find("nested", {}, {})).front(), deepest);
    EXPECT_EQ(error_of(store().insert("nested", nested(depth_max))), ErrorCode::invalid_argument);
}

TEST_P(DocumentContract, EnsureMayBeRepeatedAndBuildsAnIndexThatChanged) {
    insert_note(make_note());
    run(notes().ensure(indexes()));
    auto changed = indexes();
    changed[1].fields = {{.field = "mood"}};  // "slug" now says that there is one note of each mood
    run(notes().ensure(changed));
    EXPECT_EQ(refusing_index(notes().insert(make_note())), "slug");
}

TEST_P(DocumentContract, CollectionsDoNotSeeEachOther) {
    Collection<Note> others(store(), "others");
    run(others.ensure(indexes()));
    const Note note = insert_note(make_note());
    run(others.insert(note));
    EXPECT_EQ(run(others.remove({})), 1);
    EXPECT_EQ(run(notes().count({})), 1);
}

TEST_P(DocumentContract, SurvivesBeingReopened) {
    const Note note = insert_note(make_note());
    reopen();
    EXPECT_EQ(run(notes().find_one({})), note);
    Note duplicate = make_note();
    duplicate._id = note._id;
    EXPECT_EQ(refusing_index(notes().insert(duplicate)), "_id");
    EXPECT_NO_THROW(run(store().check()));
}

TEST_P(DocumentContract, WhatWasAcknowledgedIsThereAfterAKill) {
    store_.reset();  // no thread may be running when the child is forked
    const std::string url = place_->url();
    const auto acknowledged = engines::testing::reported_before_kill(300, [&](const auto& report) {
        const auto child = open(url);
        Collection<Note> in_child(*child, "notes");
        run(in_child.ensure(indexes()));
        for (std::int64_t number = 1;; ++number) {
            Note note = make_note();
            note.likes = number;
            run(in_child.insert(note));
            report(number);
        }
    });
    ASSERT_GE(acknowledged.size(), 300u);
    reopen();
    std::multiset<std::int64_t> stored;
    for (const auto& note : run(notes().find({}, {.limit = find_limit_max})))
        stored.insert(note.likes);
    for (const auto number : acknowledged)
        EXPECT_EQ(stored.count(number), 1u) << number;
}

TEST_P(DocumentContractConcurrent, NoUpdateIsLost) {
    const Note note = insert_note(make_note());
    engines::testing::in_parallel(4, [&](int) {
        for (int i = 0; i < 50; ++i)
            run(notes().update_one({eq("_id", note._id)}, {increment("likes", 1)}));
    });
    EXPECT_EQ(run(notes().find_one({eq("_id", note._id)}))->likes, 200);
}

TEST_P(DocumentContractConcurrent, OfEqualDocumentsOneIsStored) {
    std::vector<std::vector<Note>> made(4);
    for (int i = 0; i < 50; ++i) {
        for (auto& mine : made) {
            Note note = make_note();
            note.slug = "slug " + std::to_string(i);
            mine.push_back(note);
        }
    }
    std::atomic<int> stored{0};
    engines::testing::in_parallel(4, [&](int thread) {
        for (const auto& note : made[static_cast<std::size_t>(thread)]) {
            if (refusing_index(notes().insert(note)) == "none") ++stored;
        }
    });
    EXPECT_EQ(stored, 50);
    EXPECT_EQ(run(notes().count({})), 50);
}

TEST_P(DocumentContractConcurrent, OfUpsertsAtOnceOneCreatesAndNoneIsLost) {
    run(store().ensure("counters", {{"_id", FieldType::object_id}},
                       {{.name = "room", .fields = {{.field = "room"}}, .unique = true}}));
    engines::testing::in_parallel(4, [&](int) {
        for (int i = 0; i < 100; ++i) {
            const Filter room{eq("room", "room " + std::to_string(i / 5))};
            run(store().update_one("counters", room, {increment("seq", 1)}, true));
        }
    });
    const auto counters = run(store().find("counters", {}, {}));
    EXPECT_EQ(counters.size(), 20u);
    for (const auto& counter : counters)
        EXPECT_EQ(counter.at("seq"), json::Value(20));
}

TEST_P(DocumentContractConcurrent, StoresOpenedAtOnceEnsureTheSameIndexes) {
    engines::testing::in_parallel(4, [&](int) {
        const auto other = open(place_->url());
        for (int i = 0; i < 3; ++i)
            run(Collection<Note>(*other, "others").ensure(indexes()));
    });
    Collection<Note> others(store(), "others");
    run(others.ensure(indexes()));
    Note first = make_note();
    first.slug = "taken";
    Note second = make_note();
    second.slug = "taken";
    run(others.insert(first));
    EXPECT_EQ(refusing_index(others.insert(second)), "slug");
}

TEST_P(DocumentContractConcurrent, AWriterReadsWhatItWroteWhileOthersWrite) {
    std::vector<std::vector<Note>> made(4);
    for (auto& mine : made) {
        for (int i = 0; i < 25; ++i)
            mine.push_back(make_note());
    }
    std::atomic<int> missed{0};
    engines::testing::in_parallel(4, [&](int thread) {
        for (const auto& note : made[static_cast<std::size_t>(thread)]) {
            run(notes().insert(note));
            if (run(notes().find_one({eq("_id", note._id)})) != note) ++missed;
        }
    });
    EXPECT_EQ(missed, 0);
}

}  // namespace spaktok::document::contract
