// The contract of the relational port: one suite, run on every adapter. An adapter is plugged in by one line
// in all_adapters() with what makes a place for a test's data.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <gtest/gtest.h>

#include "base/random.h"
#include "engines/relational/database.h"
#include "engines/relational/postgres/test_server.h"
#include "engines/testing/testing.h"

namespace spaktok::relational::contract {

using engines::testing::Adapter;
using engines::testing::adapter_name;
using engines::testing::BorrowedContext;
using engines::testing::FolderPlace;
using engines::testing::Place;
using engines::testing::run;

// A schema of its own on the server that this process's tests share.
class PostgresPlace final : public Place {
  public:
    std::string url() const override { return schema_.url(); }

  private:
    postgres::TestSchema schema_;
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
