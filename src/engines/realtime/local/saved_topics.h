// Topics' histories in SQLite between a graceful stop and the next start.
#pragma once

#include <vector>

#include "engines/realtime/local/local_topics.h"
#include "engines/sqlite/connection.h"

namespace spaktok::realtime::local {

void create_topic_tables(spaktok::sqlite::Connection& connection);
void save_topics(spaktok::sqlite::Connection& connection, const std::vector<SavedTopic>& topics);
// Reads and deletes: what is taken is valid only once the transaction around it is committed.
std::vector<SavedTopic> take_topics(spaktok::sqlite::Connection& connection);

}  // namespace spaktok::realtime::local
