// The limits of the schema in SQLite's form: what PostgreSQL's types refuse, named CHECKs refuse here.
#include <gmock/gmock.h>

#include "engines/relational/migrations.h"
#include "engines/relational/relational_contract_suite.h"

namespace spaktok::relational::sqlite {
namespace {

using contract::run;
using Kind = ConstraintViolation::Kind;

class SqliteSchema : public testing::Test {
  protected:
    static constexpr auto ada = "0190a0a0-0000-7000-8000-000000000001";
    static constexpr auto bob = "0190a0a0-0000-7000-8000-000000000002";

    void SetUp() override {
        run(migrate(*database_, Timestamp{}));
        change("INSERT INTO users (id, username, email, password_hash) VALUES ('" + std::string(ada) +
               "', 'ada', 'ada@example.org', 'x'), ('" + bob + "', 'bob', 'bob@example.org', 'x')");
        change("INSERT INTO streams (id, user_id, title) VALUES ('" + std::string(ada) + "', '" + ada +
               "', 't')");
        change("INSERT INTO rooms (id, kind, owner_id) VALUES ('" + std::string(ada) + "', 'stream', '" +
               ada + "')");
        change("INSERT INTO room_members (room_id, user_id) VALUES ('" + std::string(ada) + "', '" + ada +
               "')");
        change("INSERT INTO stream_keys (user_id, key_hash) VALUES ('" + std::string(ada) + "', 'h')");
        change("INSERT INTO outbox (id, aggregate_type, aggregate_id, event_type, payload) VALUES ('" +
               std::string(ada) + "', 'user', '" + ada + "', 'user.changed', '{}')");
        change("INSERT INTO idempotency_keys (user_id, key, request_digest, answer, expires_at) VALUES ('" +
               std::string(ada) + "', 'k', 'd', '{}', 1)");
    }
    Result change(const std::string& sql) {
        return run(database_->query(Statement{.name = "schema_test", .sql = sql, .mode = Mode::write}));
    }
    // The rule that refuses the change, or "" where none does.
    std::string refusal(const std::string& sql) {
        try {
            change(sql);
        } catch (const ConstraintViolation& violation) {
            return violation.kind() == Kind::foreign_key ? "foreign key" : violation.constraint();
        }
        return "";
    }

    contract::FolderPlace place_{"sqlite:", "test.db"};
    std::unique_ptr<Database> database_ = open(place_.url(), {});
};

struct Limit {
    const char* table;
    const char* column;
    std::size_t length_max;
};

TEST_F(SqliteSchema, TakesTextUpToEachLimitAndRefusesOneCharacterMore) {
    const Limit limits[] = {
        {"users", "username", 50},
        {"users", "email", 255},
        {"users", "password_hash", 255},
        {"users", "display_name", 100},
        {"users", "profile_picture_url", 2048},
        {"users", "country", 100},
        {"users", "language", 10},
        {"streams", "title", 100},
        {"streams", "recording_url", 255},
        {"stream_keys", "key_hash", 255},
        {"rooms", "title", 100},
        {"outbox", "aggregate_type", 50},
        {"outbox", "aggregate_id", 36},
        {"outbox", "event_type", 100},
        {"idempotency_keys", "key", 255},
        {"idempotency_keys", "request_digest", 64},
    };
    for (const auto& [table, column, length_max] : limits) {
        const bool one_row = std::string_view(table) == "users";
        const auto set = [&](std::size_t length) {
            std::string text;
            for (std::size_t made = 0; made < length; ++made)
                text += "ä";  // two bytes, one character
            return std::string("UPDATE ") + table + " SET " + column + " = '" + text + "'" +
                   (one_row ? std::string(" WHERE id = '") + ada + "'" : "");
        };
        EXPECT_EQ(refusal(set(length_max)), "") << table << "." << column;
        EXPECT_EQ(refusal(set(length_max + 1)), std::string(table) + "_" + column + "_length");
    }
}

struct Rule {
    const char* sql;  // $A: Ada's id, $B: Bob's
    const char* refusal;
};

class SqliteSchemaRules : public SqliteSchema, public testing::WithParamInterface<Rule> {};

TEST_P(SqliteSchemaRules, RefusesOrAllows) {
    std::string sql = GetParam().sql;
    for (const auto& [name, id] : {std::pair{"$A", ada}, std::pair{"$B", bob}}) {
        for (auto at = sql.find(name); at != std::string::npos; at = sql.find(name))
            sql.replace(at, 2, id);
    }
    EXPECT_EQ(refusal(sql), GetParam().refusal) << sql;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, SqliteSchemaRules,
    testing::Values(
        Rule{"UPDATE users SET username = 'ADA' WHERE id = '$B'", "idx_users_username"},
        Rule{"UPDATE users SET email = 'Ada@Example.org' WHERE id = '$B'", "idx_users_email"},
        Rule{"UPDATE users SET role = 'owner'", "users_role_known"},
        Rule{"UPDATE users SET status = 'gone'", "users_status_known"},
        Rule{"UPDATE users SET is_streamer = 2", "users_is_streamer_boolean"},
        Rule{"UPDATE users SET skills = 'c++'", "users_skills_json"},
        Rule{"UPDATE users SET id = 'short' WHERE id = '$B'", "users_id_form"},
        Rule{"UPDATE users SET username = NULL", "users.username"},
        Rule{"INSERT INTO followers (follower_id, following_id) VALUES ('$A', '$B')", ""},
        Rule{"INSERT INTO followers (follower_id, following_id) VALUES ('$A', '$A')", "followers_not_self"},
        Rule{"INSERT INTO followers (follower_id, following_id) VALUES ('$A', 'nobody')", "foreign key"},
        Rule{"INSERT INTO followers (follower_id, following_id) VALUES ('$A', '$B'), ('$A', '$B')",
             "followers_pkey"},
        Rule{"UPDATE streams SET status = 'paused'", "streams_status_known"},
        Rule{"UPDATE streams SET viewers_count = -1", "streams_viewers_count_positive"},
        Rule{"UPDATE streams SET title = NULL", "streams.title"},
        Rule{"INSERT INTO stream_keys (user_id, key_hash) VALUES ('$B', 'h')", "idx_stream_keys_key_hash"},
        Rule{"INSERT INTO stream_keys (user_id, key_hash) VALUES ('$A', 'i')", "stream_keys_pkey"},
        Rule{"UPDATE rooms SET slow_mode_seconds = 300", ""},
        Rule{"UPDATE rooms SET slow_mode_seconds = 301", "rooms_slow_mode_seconds_range"},
        Rule{"UPDATE rooms SET slow_mode_seconds = -1", "rooms_slow_mode_seconds_range"},
        Rule{"UPDATE rooms SET disappear_after_seconds = 0", "rooms_disappear_after_seconds_positive"},
        Rule{"UPDATE rooms SET kind = 'secret'", "rooms_kind_known"},
        Rule{"UPDATE rooms SET kind = 'direct'", "rooms_direct_key_with_kind"},
        Rule{"INSERT INTO rooms (id, kind, direct_key) VALUES ('$B', 'direct', '$A:$B')", ""},
        Rule{"INSERT INTO rooms (id, kind, direct_key) VALUES ('$B', 'direct', '$A:')",
             "rooms_direct_key_length"},
        Rule{"UPDATE room_members SET role = 'guest'", "room_members_role_known"},
        Rule{"UPDATE room_members SET last_read_seq = -1", "room_members_last_read_seq_positive"},
        Rule{"UPDATE outbox SET payload = '{'", "outbox_payload_json"},
        Rule{"UPDATE idempotency_keys SET key = ''", "idempotency_keys_key_length"}));

TEST_F(SqliteSchema, GivesDefaultsToWhatIsLeftOut) {
    const auto rows = change("SELECT * FROM users WHERE username = 'ada'");
    const auto row = rows[0];
    EXPECT_FALSE(row.get<bool>("is_streamer"));
    EXPECT_EQ(row.get<std::string>("skills"), "[]");
    EXPECT_EQ(row.get<int>("points"), 0);
    EXPECT_EQ(row.get<std::string>("role"), "user");
    EXPECT_EQ(row.get<std::string>("status"), "active");
    const auto age = std::chrono::system_clock::now() - row.get<Timestamp>("created_at");
    EXPECT_LT(std::chrono::abs(age), std::chrono::minutes(5));
    const auto stream = change("SELECT status, viewers_count FROM streams");
    EXPECT_EQ(stream[0].get<std::string>("status"), "scheduled");
    EXPECT_EQ(stream[0].get<int>("viewers_count"), 0);
}

TEST_F(SqliteSchema, DeletesWhatBelongsToAUserWithItButKeepsRooms) {
    change(std::string("DELETE FROM users WHERE id = '") + ada + "'");
    for (const auto* table : {"streams", "stream_keys", "room_members", "idempotency_keys"}) {
        EXPECT_EQ(change(std::string("SELECT count(*) AS rows FROM ") + table)[0].get<int>("rows"), 0)
            << table;
    }
    EXPECT_EQ(change("SELECT owner_id FROM rooms")[0].get<std::optional<Uuid>>("owner_id"), std::nullopt);
}

}  // namespace
}  // namespace spaktok::relational::sqlite
