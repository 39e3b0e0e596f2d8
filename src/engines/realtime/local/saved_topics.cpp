#include "engines/realtime/local/saved_topics.h"

namespace spaktok::realtime::local {

using spaktok::sqlite::Bytes;
using spaktok::sqlite::Connection;
using spaktok::sqlite::Rows;

void create_topic_tables(Connection& connection) {
    connection.execute(
        "CREATE TABLE IF NOT EXISTS realtime_topics (name TEXT PRIMARY KEY, epoch TEXT NOT NULL, last_offset "
        "INTEGER NOT NULL,"
        " messages_max INTEGER NOT NULL, age_max_seconds INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS realtime_messages (topic TEXT NOT NULL, message_offset INTEGER NOT NULL,"
        " at INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (topic, message_offset)) STRICT;");
}

void save_topics(Connection& connection, const std::vector<SavedTopic>& topics) {
    for (const auto& topic : topics) {
        connection.run(
            "INSERT INTO realtime_topics (name, epoch, last_offset, messages_max, age_max_seconds) VALUES "
            "(?, ?, ?, ?, ?)",
            topic.name, topic.epoch, topic.offset, topic.limits.messages_max, topic.limits.age_max.count());
        for (const auto& message : topic.messages) {
            connection.run(
                "INSERT INTO realtime_messages (topic, message_offset, at, payload) VALUES (?, ?, ?, ?)",
                topic.name, message.offset, to_unix_milliseconds(message.at), Bytes{*message.payload});
        }
    }
}

std::vector<SavedTopic> take_topics(Connection& connection) {
    std::vector<SavedTopic> topics;
    {
        Rows rows = connection.query(
            "SELECT name, epoch, last_offset, messages_max, age_max_seconds FROM realtime_topics ORDER BY "
            "name");
        while (rows.next()) {
            topics.push_back({.name = std::string(rows.text(0)),
                              .epoch = std::string(rows.text(1)),
                              .offset = static_cast<std::uint64_t>(rows.integer(2)),
                              .limits = {.messages_max = static_cast<std::size_t>(rows.integer(3)),
                                         .age_max = std::chrono::seconds(rows.integer(4))},
                              .messages = {}});
        }
    }
    for (auto& topic : topics) {
        Rows rows = connection.query(
            "SELECT message_offset, at, payload FROM realtime_messages WHERE topic = ? ORDER BY "
            "message_offset",
            topic.name);
        while (rows.next()) {
            topic.messages.push_back({.offset = static_cast<std::uint64_t>(rows.integer(0)),
                                      .at = from_unix_milliseconds(rows.integer(1)),
                                      .payload = std::make_shared<const std::string>(rows.bytes(2))});
        }
    }
    connection.run("DELETE FROM realtime_messages");
    connection.run("DELETE FROM realtime_topics");
    return topics;
}

}  // namespace spaktok::realtime::local
