// The tables that the migrations make, compared with migrations/schema.txt, and the rules that no engine may
// forget.
#include <algorithm>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "engines/relational/migrations.h"
#include "engines/relational/partitions.h"
#include "engines/relational/relational_contract_suite.h"
#include "engines/relational/schema.h"

namespace spaktok::relational::contract {
namespace {

using testing::IsEmpty;

// What is true of a schema, a line each: "table users", "column users.id uuid not null".
using Facts = std::set<std::string>;

// The text without its first word, which goes to `word`.
std::string_view split_word(std::string_view text, std::string& word) {
    const auto end = std::min(text.find(' '), text.size());
    word = text.substr(0, end);
    return text.substr(std::min(end + 1, text.size()));
}

// Engines write an expression back with casts and parentheses of their own.
std::string bare(std::string text) {
    text = std::regex_replace(text, std::regex("::[a-z ]+(\\([0-9,]+\\))?(\\[\\])?"), "");
    std::erase_if(text, [](char c) { return c == ' ' || c == '(' || c == ')'; });
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    return text;
}

std::string bare_default(const std::string& text) {
    const bool is_now =
        text.starts_with("date_trunc('milliseconds'") || text.starts_with("CAST(round((julianday");
    return is_now                              ? "now"
           : text == "TRUE" || text == "FALSE" ? bare(text)
                                               : std::regex_replace(text, std::regex("::[a-z ]+"), "");
}

std::string column_fact(const std::string& table, const std::string& column, const std::string& type,
                        bool required, const std::string& value) {
    return fmt::format("column {}.{} {}{}{}", table, column, type, required ? " not null" : "",
                       value.empty() ? "" : " default " + value);
}

std::string index_fact(const std::string& table, const std::string& name, bool unique,
                       const std::string& text) {
    return fmt::format("index {} of {}{} {}", name, table, unique ? " unique" : "", bare(text));
}

// ---- schema.txt
struct Column {
    std::string name;
    std::string type;
    bool required = false;
    std::string value;  // by default
};

Column read_column(std::string_view text) {
    Column column;
    text = split_word(text, column.name);
    text = split_word(text, column.type);
    if (text.starts_with("not null")) {
        column.required = true;
        text.remove_prefix(std::min<std::size_t>(text.size(), 9));
    }
    if (text.starts_with("default ")) column.value = text.substr(8);
    return column;
}

std::string sqlite_type(const std::string& type) {
    const bool is_text =
        type == "uuid" || type == "text" || type == "jsonb" || type == "date" || type.starts_with("varchar");
    return is_text ? "TEXT" : "INTEGER";
}

// SQLite keeps what PostgreSQL's types refuse out by CHECKs.
std::string sqlite_check(const std::string& table, const Column& column) {
    const auto name = table + "_" + column.name;
    if (column.name == "id" && column.type == "uuid") return "check " + name + "_form";
    if (column.type == "boolean") return "check " + name + "_boolean";
    if (column.type == "jsonb") return "check " + name + "_json";
    if (column.type == "date") return "check " + name + "_form";
    if (column.type.starts_with("varchar"))
        return fmt::format("check {}_length {} <= {}", name, column.name,
                           column.type.substr(8, column.type.size() - 9));
    return "";
}

// A list of known words, or a rule of its own about the length, says more.
bool is_said_otherwise(const Facts& facts, const std::string& check) {
    const auto name = check.substr(0, check.find("_length "));
    return name != check && (facts.contains(name + "_length") || facts.contains(name + "_known"));
}

Facts expected_facts(Dialect dialect) {
    const bool is_sqlite = dialect == Dialect::sqlite;
    Facts facts;
    Facts derived;
    std::istringstream file{std::string(schema_text())};
    std::string table;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        std::string word;
        std::string_view rest = split_word(std::string_view(line).substr(line.find_first_not_of(' ')), word);
        if (word == "table") {
            rest = split_word(rest, table);
            facts.insert(fmt::format("table {} {}", table, is_sqlite ? "strict" : rest));
        } else if (word == "column") {
            auto column = read_column(rest);
            if (is_sqlite) {
                derived.insert(sqlite_check(table, column));
                if (column.type == "numeric(10,4)" && !column.value.empty()) column.value += "0000";
                column.type = sqlite_type(column.type);
            }
            facts.insert(column_fact(table, column.name, column.type, column.required, column.value));
        } else if (word == "index") {
            std::string name;
            rest = split_word(rest, name);
            const bool unique = rest.starts_with("unique ");
            facts.insert(index_fact(table, name, unique, std::string(unique ? rest.substr(7) : rest)));
        } else if (word == "reference") {
            std::string column;
            rest = split_word(rest, column);
            facts.insert(fmt::format("reference {}.{} {}", table, column, rest));
        } else if (word == "check") {
            facts.insert(fmt::format("check {}", rest));
        } else if (word != "derived") {
            facts.insert(fmt::format("{} {} {}", word, table, rest));
        }
    }
    derived.erase("");
    for (const auto& check : derived) {
        if (!is_said_otherwise(facts, check)) facts.insert(check);
    }
    return facts;
}

// ---- The engines' own catalogues
Result read(Database& database, std::string_view sql) {
    return run(database.query(Statement{.name = "schema_test", .sql = sql}));
}

void add_index(Facts& facts, const std::string& definition) {
    static const std::regex form(
        "CREATE (UNIQUE )?INDEX (\\w+) ON (?:ONLY )?(?:\\w+\\.)?(\\w+) (?:USING btree )?(.*)");
    std::smatch match;
    ASSERT_TRUE(std::regex_match(definition, match, form)) << definition;
    facts.insert(index_fact(match[3], match[2], match[1].matched, match[4]));
}

Facts postgres_facts(Database& database) {
    constexpr std::string_view tables =
        "SELECT relname::text AS name, relkind = 'p' AS partitioned FROM pg_class "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT "
        "relispartition "
        "AND relname <> 'schema_migrations'";
    constexpr std::string_view columns =
        "SELECT c.relname::text AS relation, attname::text AS name, format_type(atttypid, atttypmod) AS "
        "type, "
        "attnotnull AS required, coalesce(pg_get_expr(adbin, adrelid), '') AS value "
        "FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0 "
        "LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum "
        "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT "
        "relispartition "
        "AND relname <> 'schema_migrations'";
    constexpr std::string_view constraints =
        "SELECT relname::text AS relation, conname::text AS name, contype::text AS kind, "
        "pg_get_constraintdef(pg_constraint.oid) AS definition FROM pg_constraint JOIN pg_class ON "
        "pg_class.oid = conrelid "
        "WHERE relnamespace = current_schema()::regnamespace AND NOT relispartition AND conparentid = 0 "
        "AND relname <> 'schema_migrations'";
    constexpr std::string_view indexes =
        "SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index JOIN pg_class ON pg_class.oid = "
        "indrelid "
        "WHERE relnamespace = current_schema()::regnamespace AND NOT relispartition AND NOT indisprimary";
    Facts facts;
    for (const auto row : read(database, tables)) {
        facts.insert(fmt::format("table {} {}", row.get<std::string>("name"),
                                 row.get<bool>("partitioned") ? "partitioned" : ""));
    }
    for (const auto row : read(database, columns)) {
        auto type =
            std::regex_replace(row.get<std::string>("type"), std::regex("character varying"), "varchar");
        if (type == "timestamp with time zone") type = "timestamp";
        facts.insert(column_fact(row.get<std::string>("relation"), row.get<std::string>("name"), type,
                                 row.get<bool>("required"), bare_default(row.get<std::string>("value"))));
    }
    static const std::regex reference(
        "FOREIGN KEY \\((\\w+)\\) REFERENCES (\\w+)\\(id\\) ON DELETE ([A-Z ]+)");
    for (const auto row : read(database, constraints)) {
        const auto relation = row.get<std::string>("relation");
        const auto name = row.get<std::string>("name");
        const auto definition = row.get<std::string>("definition");
        const auto kind = row.get<std::string>("kind");
        if (std::smatch match; std::regex_match(definition, match, reference)) {
            auto action = match[3].str();
            std::ranges::transform(action, action.begin(),
                                   [](char c) { return c == ' ' ? c : c - 'A' + 'a'; });
            facts.insert(fmt::format("reference {}.{} {} on delete {}", relation, match[1].str(),
                                     match[2].str(), action));
            EXPECT_EQ(name, relation + "_" + match[1].str() + "_fkey");
        } else if (kind == "p") {
            facts.insert("key " + relation + definition.substr(std::string_view("PRIMARY KEY").size()));
        } else {
            facts.insert("check " + name);
        }
    }
    for (const auto row : read(database, indexes))
        add_index(facts, row.get<std::string>("definition"));
    return facts;
}

Facts sqlite_facts(Database& database) {
    Facts facts;
    std::vector<std::pair<std::string, std::string>> tables;
    for (const auto row :
         read(database,
              "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'"))
        tables.emplace_back(row.get<std::string>("name"), row.get<std::string>("sql"));
    static const std::regex check("CONSTRAINT (\\w+)\\s+CHECK \\((?:length\\((\\w+)\\) (<= \\d+)\\))?");
    for (const auto& [table, sql] : tables) {
        facts.insert("table " + table +
                     (std::regex_search(sql, std::regex("\\) STRICT(, WITHOUT ROWID)?$")) ? " strict" : ""));
        for (std::sregex_iterator found(sql.begin(), sql.end(), check), end; found != end; ++found) {
            const auto length = (*found)[2].matched ? " " + (*found)[2].str() + " " + (*found)[3].str() : "";
            facts.insert("check " + (*found)[1].str() + length);
        }
        std::vector<std::string> key;
        const auto columns =
            read(database,
                 "SELECT name, type, \"notnull\" AS required, coalesce(dflt_value, '') AS value, pk "
                 "FROM pragma_table_info('" +
                     table + "') ORDER BY pk");
        for (const auto row : columns) {
            if (row.get<int>("pk") > 0) key.push_back(row.get<std::string>("name"));
            facts.insert(column_fact(table, row.get<std::string>("name"), row.get<std::string>("type"),
                                     row.get<bool>("required"), bare_default(row.get<std::string>("value"))));
        }
        facts.insert(fmt::format("key {} ({})", table, fmt::join(key, ", ")));
        const auto references =
            read(database,
                 "SELECT \"from\" AS name, \"table\" AS whole, lower(on_delete) AS action "
                 "FROM pragma_foreign_key_list('" +
                     table + "')");
        for (const auto row : references) {
            facts.insert(fmt::format("reference {}.{} {} on delete {}", table, row.get<std::string>("name"),
                                     row.get<std::string>("whole"), row.get<std::string>("action")));
        }
    }
    for (const auto row :
         read(database, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"))
        add_index(facts, row.get<std::string>("sql"));
    return facts;
}

std::vector<std::string> without(const Facts& some, const Facts& others) {
    std::vector<std::string> left;
    std::ranges::set_difference(some, others, std::back_inserter(left));
    return left;
}

constexpr Timestamp now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23);

class RelationalSchema : public RelationalContract {
  protected:
    void SetUp() override {
        RelationalContract::SetUp();
        run(migrate(database(), now));
    }
    bool is_sqlite() { return database().dialect() == Dialect::sqlite; }
};

TEST_P(RelationalSchema, IsWhatTheTableBesideTheMigrationsSays) {
    const auto expected = expected_facts(database().dialect());
    EXPECT_GT(expected.size(), 400U);
    const auto actual = is_sqlite() ? sqlite_facts(database()) : postgres_facts(database());
    EXPECT_THAT(without(expected, actual), IsEmpty()) << "not in the database";
    EXPECT_THAT(without(actual, expected), IsEmpty()) << "not in schema.txt";
}

// ---- Rules that the engine itself keeps
struct Rule {
    const char* sql;  // $A, $B: two people; $T: a post, a video, a stream, a gift and a transaction at once
    const char* refusal;
};
const Rule rules[] = {
    {"INSERT INTO comments (id, user_id, content, post_id) VALUES ('$1', '$A', 'c', '$T')", ""},
    {"INSERT INTO comments (id, user_id, content) VALUES ('$2', '$A', 'c')", "comments_one_subject"},
    {"INSERT INTO comments (id, user_id, content, post_id, stream_id) VALUES ('$2', '$A', 'c', '$T', '$T')",
     "comments_one_subject"},
    {"INSERT INTO likes (id, user_id, post_id) VALUES ('$1', '$A', '$T')", ""},
    {"INSERT INTO likes (id, user_id, post_id) VALUES ('$2', '$A', '$T')", "idx_likes_user_id_post_id"},
    {"INSERT INTO likes (id, user_id, post_id) VALUES ('$2', '$B', '$T')", ""},
    {"INSERT INTO likes (id, user_id, video_id) VALUES ('$3', '$A', '$T')", ""},
    {"INSERT INTO likes (id, user_id, video_id, post_id) VALUES ('$4', '$A', '$T', '$T')",
     "likes_one_subject"},
    {"UPDATE posts SET likes_count = -1", "posts_likes_count_positive"},
    {"INSERT INTO posts (id, user_id, content) VALUES ('$T', '$A', 'again')", "posts_pkey"},
    {"UPDATE posts SET content = NULL", "posts.content"},
    {"INSERT INTO transactions (id, sender_user_id, receiver_user_id, gift_id, amount, platform_fee, "
     "streamer_payout, "
     "transaction_type) VALUES ('$1', '$A', '$B', '$T', 5, 2, 3, 'gift_sent')",
     ""},
    {"UPDATE transactions SET streamer_payout = 4 WHERE id = '$1'", "transactions_gift_splits"},
    {"UPDATE transactions SET gift_id = NULL WHERE id = '$1'", "transactions_gift_with_type"},
    {"UPDATE transactions SET receiver_user_id = sender_user_id WHERE id = '$1'", "transactions_not_to_self"},
    {"UPDATE transactions SET transaction_type = 'theft' WHERE id = '$1'",
     "transactions_transaction_type_known"},
    {"UPDATE transactions SET currency = 'EU' WHERE id = '$1'", "transactions_currency_length"},
    {"UPDATE transactions SET stream_id = '$T' WHERE id = '$1'", ""},
    {"DELETE FROM users WHERE id = '$A'", "foreign key"},
    {"DELETE FROM streams WHERE id = '$T'", ""},
    {"INSERT INTO ledger_accounts (id, owner_user_id, kind) VALUES ('$1', '$A', 'wallet')", ""},
    {"INSERT INTO ledger_accounts (id, owner_user_id, kind) VALUES ('$2', '$A', 'wallet')",
     "idx_ledger_accounts_owner_user_id"},
    {"INSERT INTO ledger_accounts (id, owner_user_id, kind) VALUES ('$2', '$A', 'earnings')", ""},
    {"INSERT INTO ledger_accounts (id, kind) VALUES ('$3', 'platform_revenue')", ""},
    {"INSERT INTO ledger_accounts (id, kind) VALUES ('$4', 'platform_revenue')", "idx_ledger_accounts_kind"},
    {"INSERT INTO ledger_accounts (id, kind) VALUES ('$4', 'wallet')", "ledger_accounts_owner_with_kind"},
    {"UPDATE ledger_accounts SET balance_minor = -1 WHERE id = '$2'", ""},
    {"UPDATE ledger_accounts SET balance_minor = -1 WHERE id = '$1'",
     "ledger_accounts_wallet_not_below_zero"},
    {"INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor) VALUES ('$1', '$1', '$1', 0)",
     "ledger_entries_amount_minor_not_zero"},
    {"INSERT INTO ledger_entries (id, transaction_id, account_id, amount_minor) VALUES ('$1', '$1', '$1', "
     "-500)",
     ""},
    {"DELETE FROM transactions WHERE id = '$1'", "foreign key"},
    {"INSERT INTO notifications (id, user_id, type, content, event_id) VALUES ('$1', '$A', 'gift', 'c', "
     "'$T')",
     ""},
    {"INSERT INTO notifications (id, user_id, type, content, event_id) VALUES ('$2', '$A', 'gift', 'c', "
     "'$T')",
     "idx_notifications_event_id"},
    {"INSERT INTO notifications (id, user_id, type, content) VALUES ('$2', '$A', 'gift', 'c'), ('$3', '$A', "
     "'gift', 'c')",
     ""},
    {"INSERT INTO exchange_rates (currency, day, rate) VALUES ('EUR', '2026-11-23', 9000)", ""},
    {"INSERT INTO exchange_rates (currency, day, rate) VALUES ('EUR', '2026-11-23', 9001)",
     "exchange_rates_pkey"},
};

TEST_P(RelationalSchema, RefusesWhatBreaksARule) {
    const auto id = [](int number) { return fmt::format("0199a0a0-0000-7000-8000-{:012}", number); };
    const auto change = [&](std::string sql) {
        const std::pair<std::string_view, int> names[] = {{"$A", 11}, {"$B", 12}, {"$T", 13}, {"$1", 1},
                                                          {"$2", 2},  {"$3", 3},  {"$4", 4}};
        for (const auto& [name, number] : names) {
            for (auto at = sql.find(name); at != std::string::npos; at = sql.find(name))
                sql.replace(at, 2, id(number));
        }
        run(database().query(Statement{.name = "schema_test", .sql = sql, .mode = Mode::write}));
    };
    change(
        "INSERT INTO users (id, username, email, password_hash) VALUES ('$A', 'a', 'a@example.org', ''), "
        "('$B', 'b', 'b@example.org', '')");
    change("INSERT INTO posts (id, user_id, content) VALUES ('$T', '$A', 'p')");
    change("INSERT INTO videos (id, user_id, title, video_url) VALUES ('$T', '$A', 'v', '/v')");
    change("INSERT INTO streams (id, user_id, title) VALUES ('$T', '$A', 's')");
    change("INSERT INTO gifts (id, name, price, image_url) VALUES ('$T', 'Tulip', 1, '/tulip')");
    for (const auto& rule : rules) {
        std::string refusal;
        try {
            change(rule.sql);
        } catch (const ConstraintViolation& violation) {
            const bool is_reference = violation.kind() == ConstraintViolation::Kind::foreign_key;
            refusal = is_reference ? "foreign key" : violation.constraint();
        }
        EXPECT_EQ(refusal, rule.refusal) << rule.sql;
    }
}

// ---- Partitions
TEST(Partitions, HaveTheNamesOfTheirTables) {
    EXPECT_EQ(whole_table("streams_2026"), "streams");
    EXPECT_EQ(whole_table("streams_past"), "streams");
    for (const auto* table : {"streams", "stream_keys", "code_12", "posts_12345", "posts_20x6", "2026", ""})
        EXPECT_EQ(whole_table(table), table);
}

class PostgresPartitions : public testing::Test {
  protected:
    std::vector<std::string> of(std::string_view table) {
        std::vector<std::string> names;
        for (const auto row :
             read(*database_, "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '" +
                                  std::string(table) + "'::regclass ORDER BY 1"))
            names.push_back(row.get<std::string>("name"));
        return names;
    }

    PostgresPlace place_;
    std::unique_ptr<Database> database_ = open(place_.url(), {});
};

TEST_F(PostgresPartitions, AreMadeTwoYearsAheadAndLeaveNoGap) {
    using testing::ElementsAre;
    run(migrate(*database_, now));
    for (const std::string table : {"streams", "posts"}) {
        EXPECT_THAT(of(table),
                    ElementsAre(table + "_2026", table + "_2027", table + "_2028", table + "_past"));
    }
    run(make_partitions(*database_, now));
    EXPECT_EQ(of("posts").size(), 4U);
    run(make_partitions(*database_, now + std::chrono::years(4)));
    EXPECT_THAT(of("posts"), ElementsAre("posts_2026", "posts_2027", "posts_2028", "posts_2029", "posts_2030",
                                         "posts_2031", "posts_2032", "posts_past"));
}

TEST_F(PostgresPartitions, HoldWhatTheirYearsMade) {
    run(migrate(*database_, now));
    SeededRandom random(1);
    const auto user = Uuid::v7(now, random);
    constexpr Statement add_user{
        .name = "add_user",
        .sql = "INSERT INTO users (id, username, email, password_hash) VALUES ($1, 'a', 'a@b', '')",
        .mode = Mode::write};
    constexpr Statement add_post{.name = "add_post",
                                 .sql = "INSERT INTO posts (id, user_id, content) VALUES ($1, $2, '')",
                                 .mode = Mode::write};
    run(database_->query(add_user, user));
    const Timestamp new_year = std::chrono::sys_days(std::chrono::year(2027) / 1 / 1);
    const std::pair<Timestamp, std::string> posts[] = {
        {Timestamp{}, "posts_past"},
        {new_year - std::chrono::years(1) - std::chrono::milliseconds(1), "posts_past"},
        {new_year - std::chrono::milliseconds(1), "posts_2026"},
        {new_year, "posts_2027"},
    };
    for (const auto& [at, partition] : posts) {
        const auto post = Uuid::v7(at, random);
        run(database_->query(add_post, post, user));
        constexpr Statement where{.name = "where",
                                  .sql = "SELECT tableoid::regclass::text AS name FROM posts WHERE id = $1"};
        EXPECT_EQ(run(database_->query(where, post))[0].get<std::string>("name"), partition);
    }
}

TEST_F(PostgresPartitions, MayBeLeftOutWithoutAnyOtherDifference) {
    run(migrate(*database_, now, Partitioning::none));
    EXPECT_EQ(run(partitioning_of(*database_)), Partitioning::none);
    Facts expected;
    for (const auto& fact : expected_facts(Dialect::postgres))
        expected.insert(std::regex_replace(fact, std::regex("^(table \\w+ )partitioned$"), "$1"));
    const auto actual = postgres_facts(*database_);
    EXPECT_THAT(without(expected, actual), IsEmpty()) << "not in the database";
    EXPECT_THAT(without(actual, expected), IsEmpty()) << "not in schema.txt";
    run(make_partitions(*database_, now + std::chrono::years(4)));
    EXPECT_THAT(of("posts"), IsEmpty());
}

TEST_F(PostgresPartitions, StayAsTheTablesWereMade) {
    EXPECT_EQ(run(partitioning_of(*database_)), std::nullopt);
    run(migrate(*database_, now));
    run(migrate(*database_, now + std::chrono::years(1), Partitioning::none));
    EXPECT_EQ(run(partitioning_of(*database_)), Partitioning::yearly);
    EXPECT_EQ(of("posts").size(), 5U) << "a partition was missing";

    const PostgresPlace other;
    const auto whole = open(other.url(), {});
    run(migrate(*whole, now, Partitioning::none));
    EXPECT_THAT(run(migrate(*whole, now)).pending, IsEmpty());
    EXPECT_EQ(run(partitioning_of(*whole)), Partitioning::none);
}

TEST(Partitions, AreLeftOutOfEveryMigrationThatHasThem) {
    std::size_t found = 0;
    for (const auto& migration : all_migrations()) {
        const auto whole = without_partitions(migration.postgres);
        EXPECT_EQ(whole.find("PARTITION BY"), std::string::npos) << migration.name;
        if (whole != migration.postgres) ++found;
    }
    EXPECT_EQ(found, 2U);
}

INSTANTIATE_TEST_SUITE_P(Adapters, RelationalSchema, testing::ValuesIn(all_adapters()), adapter_name);

}  // namespace
}  // namespace spaktok::relational::contract
