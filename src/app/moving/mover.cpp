#include "app/moving/mover.h"

#include <exception>
#include <memory>

#include <fmt/format.h>

#include "app/moving/blobs.h"
#include "app/moving/documents.h"
#include "app/moving/key_values.h"
#include "app/moving/tables.h"
#include "engines/relational/migrations.h"
#include "features/cluster/lease.h"

namespace spaktok::moving {

namespace asio = boost::asio;

namespace {

template <class Engine>
struct Pair {
    std::unique_ptr<Engine> from;
    std::unique_ptr<Engine> to;
    explicit operator bool() const { return from != nullptr; }
};

template <class Engine, class Open>
Pair<Engine> open_pair(const std::optional<Way>& way, const char* name, Open open) {
    if (!way) return {};
    if (way->from == way->to) {
        throw Error(ErrorCode::invalid_argument, fmt::format("The {} engine is there already.", name),
                    {.field = name});
    }
    return {.from = open(way->from), .to = open(way->to)};
}

std::string describe(const std::optional<Way>& way) {
    return way ? way->from + "\n" + way->to + "\n" : "\n\n";
}

[[noreturn]] void refuse_target(const std::string& what) {
    throw Error(
        ErrorCode::conflict,
        fmt::format("The target holds something already ({}): a move begins with empty engines.", what));
}

// What the two sides hold of each part, and where they differ.
struct Comparison {
    std::vector<std::string> differences{};

    std::int64_t add(const std::string& name, const Checksum& from, const Checksum& to) {
        if (from.count() != to.count())
            differences.push_back(fmt::format("{} ({} here, {} there)", name, from.count(), to.count()));
        else if (from != to)
            differences.push_back(name);
        return from.count();
    }
};

class Mover {
  public:
    explicit Mover(MoveOptions options)
        : options_(std::move(options)),
          journal_(options_.journal, describe(options_.relational) + describe(options_.document) +
                                         describe(options_.realtime) + describe(options_.blob)),
          relational_(open_pair<relational::Database>(
              options_.relational, "relational",
              [](const std::string& url) { return relational::open(url, {}); })),
          document_(open_pair<document::Store>(options_.document, "document",
                                               [](const std::string& url) { return document::open(url); })),
          realtime_(open_pair<realtime::Engine>(
              options_.realtime, "realtime", [this](const std::string& url) { return open_realtime(url); })),
          realtime_in_use_(realtime_ ? nullptr : open_realtime(options_.realtime_in_use)),
          blob_(open_pair<blob::BlobStore>(options_.blob, "blob",
                                           [](const std::string& url) { return blob::open(url); })) {}

    asio::awaitable<Moved> run() {
        Moved moved;
        std::exception_ptr failure;
        try {
            moved = co_await move();
        } catch (...) {
            failure = std::current_exception();
        }
        // The embedded engine took its topics from the disk when it was opened.
        for (auto* engine : {realtime_.from.get(), realtime_.to.get(), realtime_in_use_.get()}) {
            if (engine != nullptr) co_await engine->stop();
        }
        if (failure) std::rethrow_exception(failure);
        journal_.end();
        co_return moved;
    }

  private:
    std::unique_ptr<realtime::Engine> open_realtime(const std::string& url) const {
        return realtime::open(url, {.node_id = "move", .clock = &options_.clock, .random = &options_.random});
    }

    asio::awaitable<Moved> move() {
        co_await prepare();
        if (!journal_.has_begun()) {
            if (relational_) co_await remove_catalogue(*relational_.to);
            co_await check_targets_are_empty();
            journal_.begin();
        }
        co_await copy();
        co_return co_await compare();
    }

    asio::awaitable<void> prepare() {
        if (realtime_) co_await check_nobody_serves(*realtime_.to);
        co_await check_nobody_serves(realtime_ ? *realtime_.from : *realtime_in_use_);
        if (relational_) {
            const auto plan = co_await relational::plan_migrations(*relational_.from);
            if (!plan.pending.empty()) {
                throw Error(ErrorCode::conflict,
                            "The source's schema is not up to date: run `spaktok migrate` first.");
            }
            co_await relational::migrate(*relational_.to, options_.clock.now(), options_.partitioning);
        }
        if (document_) {
            co_await ensure_collections(*document_.from);
            co_await ensure_collections(*document_.to);
        }
    }

    asio::awaitable<void> check_nobody_serves(realtime::Engine& engine) {
        if (!co_await cluster::is_leased(engine.key_values(), cluster::jobs_lease)) co_return;
        throw Error(ErrorCode::conflict,
                    "A node serves this place: stop all of them, and wait ten seconds after one was killed.");
    }

    asio::awaitable<void> check_targets_are_empty() {
        if (relational_) {
            for (const auto& table : relational::all_tables()) {
                const bool empty = co_await is_empty(*relational_.to, table);
                if (!empty) refuse_target("table " + table.name);
            }
        }
        if (document_) {
            for (const auto& collection : all_collections()) {
                const bool empty = co_await is_empty(*document_.to, collection);
                if (!empty) refuse_target("collection " + collection.name);
            }
        }
        if (realtime_) {
            const bool empty = co_await is_empty(realtime_.to->key_values());
            if (!empty) refuse_target("key-values");
        }
        if (blob_) {
            const bool empty = co_await is_empty(*blob_.to);
            if (!empty) refuse_target("files");
        }
    }

    asio::awaitable<void> copy() {
        if (relational_) {
            for (const auto& table : relational::all_tables())
                co_await copy_table(*relational_.from, *relational_.to, table, journal_, options_.batch_rows,
                                    options_.progress);
        }
        if (document_) {
            for (const auto& collection : all_collections())
                co_await copy_collection(*document_.from, *document_.to, collection, journal_,
                                         options_.batch_documents, options_.progress);
        }
        if (realtime_)
            co_await copy_key_values(realtime_.from->key_values(), realtime_.to->key_values(), journal_,
                                     options_.progress);
        if (blob_) co_await copy_blobs(*blob_.from, *blob_.to, journal_, options_.progress);
    }

    asio::awaitable<Moved> compare() {
        Moved moved;
        Comparison comparison;
        if (relational_) {
            for (const auto& table : relational::all_tables()) {
                const auto from =
                    co_await checksum_of(*relational_.from, table, options_.batch_rows, options_.progress);
                const auto to =
                    co_await checksum_of(*relational_.to, table, options_.batch_rows, options_.progress);
                moved.rows += comparison.add("table " + table.name, from, to);
            }
        }
        if (document_) {
            for (const auto& collection : all_collections()) {
                const auto from = co_await checksum_of(*document_.from, collection, options_.batch_documents,
                                                       options_.progress);
                const auto to = co_await checksum_of(*document_.to, collection, options_.batch_documents,
                                                     options_.progress);
                moved.documents += comparison.add("collection " + collection.name, from, to);
            }
        }
        if (realtime_) co_await compare_key_values(moved, comparison);
        if (blob_) {
            const auto from = co_await checksum_of(*blob_.from, options_.progress);
            const auto to = co_await checksum_of(*blob_.to, options_.progress);
            moved.files = comparison.add("files", from, to);
        }
        if (!comparison.differences.empty()) {
            throw Error(ErrorCode::conflict,
                        fmt::format("The copy differs from its source: {}. To copy again, empty the target's "
                                    "engines and remove {}.",
                                    fmt::join(comparison.differences, ", "), options_.journal.string()));
        }
        co_return moved;
    }

    asio::awaitable<void> compare_key_values(Moved& moved, Comparison& comparison) {
        auto& from = realtime_.from->key_values();
        auto& to = realtime_.to->key_values();
        const auto there = co_await compare_with(from, to, options_.progress);
        const auto back = co_await compare_with(to, from, options_.progress);
        moved.key_values = there.compared;
        if (there.missing + back.missing > 0) {
            comparison.differences.push_back(
                fmt::format("key-values ({} not there, {} not here)", there.missing, back.missing));
        }
    }

    const MoveOptions options_;
    Journal journal_;
    Pair<relational::Database> relational_;
    Pair<document::Store> document_;
    Pair<realtime::Engine> realtime_;
    std::unique_ptr<realtime::Engine> realtime_in_use_;  // where it is not moved itself
    Pair<blob::BlobStore> blob_;
};

}  // namespace

asio::awaitable<Moved> move_place(MoveOptions options) {
    const auto mover = std::make_unique<Mover>(std::move(options));
    co_return co_await mover->run();
}

}  // namespace spaktok::moving
