// The contract of the relational port: one suite, run on every adapter. An adapter is plugged in by one line
// in all_adapters() with what makes a place for a test's data.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/random.h"
#include "engines/relational/database.h"

namespace spaktok::relational::contract {

// Where one test's data is; empty at first, removed when destroyed.
class Place {
  public:
    virtual ~Place() = default;
    // May be opened several times at once, also by several processes.
    virtual std::string url() const = 0;
};

// A folder of its own below the system's temporary one.
class SqlitePlace final : public Place {
  public:
    SqlitePlace();
    ~SqlitePlace() override;
    SqlitePlace(const SqlitePlace&) = delete;
    SqlitePlace& operator=(const SqlitePlace&) = delete;
    std::string url() const override { return "sqlite:" + file().string(); }
    std::filesystem::path file() const { return folder_ / "test.db"; }

  private:
    std::filesystem::path folder_;
};

struct Adapter {
    std::string name;
    std::function<std::unique_ptr<Place>()> make_place;

    friend void PrintTo(const Adapter& adapter, std::ostream* out) { *out << adapter.name; }
};

inline constexpr Statement insert_sample{
    .name = "insert_sample",
    .sql =
        "INSERT INTO samples (id, flag, number, real, label, moment, amount, document) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    .mode = Mode::write,
};
inline constexpr Statement find_sample{
    .name = "find_sample", .sql = "SELECT * FROM samples WHERE id = $1", .mode = Mode::point_read};
inline constexpr Statement insert_label{
    .name = "insert_label", .sql = "INSERT INTO samples (id, label) VALUES ($1, $2)", .mode = Mode::write};
inline constexpr Statement insert_document{.name = "insert_document",
                                           .sql = "INSERT INTO samples (id, document) VALUES ($1, $2)",
                                           .mode = Mode::write};
inline constexpr Statement count_samples{.name = "count_samples",
                                         .sql = "SELECT count(*) AS samples FROM samples"};

std::vector<Adapter> all_adapters();
inline const auto adapter_name = [](const testing::TestParamInfo<Adapter>& info) { return info.param.name; };

// An io_context for a test's thread. They are used again and never destroyed while the program runs: an
// engine's thread may still be on its way out of the call that woke the caller.
class BorrowedContext {
  public:
    BorrowedContext();
    ~BorrowedContext();
    BorrowedContext(const BorrowedContext&) = delete;
    BorrowedContext& operator=(const BorrowedContext&) = delete;
    boost::asio::io_context& operator*() { return *context_; }
    boost::asio::io_context* operator->() { return context_.get(); }

  private:
    std::unique_ptr<boost::asio::io_context> context_;
};

// Runs the work to its end on the calling thread and returns or throws what it does.
template <class T>
T run(boost::asio::awaitable<T> work) {
    BorrowedContext context;
    std::exception_ptr thrown;
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(*context, std::move(work), [&](std::exception_ptr error) { thrown = error; });
        context->run();
        if (thrown) std::rethrow_exception(thrown);
    } else {
        std::optional<T> result;
        boost::asio::co_spawn(*context, std::move(work), [&](std::exception_ptr error, T value) {
            thrown = error;
            if (!error) result.emplace(std::move(value));
        });
        context->run();
        if (thrown) std::rethrow_exception(thrown);
        return std::move(*result);
    }
}

// The error that the work throws; fails the test where it throws none.
template <class T>
Error error_of(boost::asio::awaitable<T> work) {
    try {
        run(std::move(work));
    } catch (const Error& error) {
        return error;
    }
    ADD_FAILURE() << "did not throw";
    return Error(ErrorCode::internal, "did not throw");
}

class RelationalContract : public testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override { database_ = reopen(); }
    std::unique_ptr<Database> reopen(OpenOptions options = {}) { return open(place_->url(), options); }
    // Runs statements in the engine's own dialect.
    void script(std::string sqlite, std::string postgres);
    Database& database() { return *database_; }

    std::unique_ptr<Place> place_ = GetParam().make_place();
    std::unique_ptr<Database> database_;
};

// With a table that has a column of every type.
class RelationalSamples : public RelationalContract {
  protected:
    void SetUp() override;
    Uuid make_id() { return Uuid::v7(Timestamp{std::chrono::milliseconds{1'700'000'000'000}}, random_); }
    std::int64_t count() { return run(database().query(count_samples))[0].get<std::int64_t>("samples"); }

    SeededRandom random_{1};
};

}  // namespace spaktok::relational::contract
