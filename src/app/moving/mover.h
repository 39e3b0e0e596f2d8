// Copies a place from its engines to others and proves the copy. Nobody may serve either meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "app/moving/journal.h"
#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/partitions.h"

namespace spaktok::moving {

// From one engine's URL to another's.
struct Way {
    std::string from;
    std::string to;
};

struct MoveOptions {
    // Engines without a way are left as they are.
    std::optional<Way> relational{};
    std::optional<Way> document{};
    std::optional<Way> realtime{};
    std::optional<Way> blob{};
    relational::Partitioning partitioning = relational::Partitioning::yearly;  // of the target's tables
    std::string realtime_in_use;  // URL of the engine in which a node that serves the place shows itself
    std::filesystem::path journal;
    const Clock& clock;
    Random& random;
    Progress progress;
    std::size_t batch_rows = 500;
    std::size_t batch_documents = 200;  // as many as MongoDB is asked for at once
};

// What was copied and found equal.
struct Moved {
    std::int64_t rows = 0;
    std::int64_t documents = 0;
    std::int64_t key_values = 0;  // and sets
    std::int64_t files = 0;
};

// On an executor of one thread, which outlives the engines that it opens. One that was killed goes on when it
// is called again with the same ways.
//
// Throws Error{invalid_argument} where a way leads nowhere; Error{conflict} where the source waits for
// migrations, a target holds something, a node serves one of them, another move was begun, or the sides
// differ in the end (the message names each table, collection or part); and what the ports do.
boost::asio::awaitable<Moved> move_place(MoveOptions options);

}  // namespace spaktok::moving
