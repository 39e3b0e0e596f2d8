// Engines of a process that ends with SIGKILL at a named step of what it does, for tests of who takes over.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include "base/object_id.h"
#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/relational/database.h"

namespace spaktok::features_testing {

// "before insert_user", "during insert_user" (it was asked for, the answer has not come), "after
// insert_user", the `occurrence`th time; other names are what a test calls its own steps.
struct Step {
    std::string name;
    int occurrence = 1;
};

// In a child that was forked for it: an end where the step is never reached, and ObjectIds other than the
// parent's, whose state it has.
inline void begin_child() {
    constexpr unsigned patience_seconds = 60;
    ::alarm(patience_seconds);
    SystemRandom random;
    for (int i = 0; i < 100'000; ++i)
        ObjectId::make(Timestamp{}, random);
}

class Deadly {
  public:
    // `last_words` is called first.
    Deadly(Step step, std::function<void()> last_words)
        : step_(std::move(step)), last_words_(std::move(last_words)) {}

    // Does not return from the step.
    void reach(std::string_view name) {
        if (name != step_.name || ++reached_ != step_.occurrence) return;
        last_words_();
        ::kill(::getpid(), SIGKILL);
        for (;;)
            ::pause();
    }
    bool ends_during(std::string_view what) { return step_.name == "during " + std::string(what); }

    template <class T>
    boost::asio::awaitable<T> around(std::string what, boost::asio::awaitable<T> work) {
        reach("before " + what);
        if (ends_during(what)) {
            const auto executor = co_await boost::asio::this_coro::executor;
            boost::asio::co_spawn(executor, std::move(work), boost::asio::detached);
            co_await boost::asio::post(executor, boost::asio::use_awaitable);
            reach("during " + what);
        }
        if constexpr (std::is_void_v<T>) {
            co_await std::move(work);
            reach("after " + what);
        } else {
            T result = co_await std::move(work);
            reach("after " + what);
            co_return result;
        }
    }

  private:
    const Step step_;
    const std::function<void()> last_words_;
    int reached_ = 0;
};

// Steps are the names of statements. Those inside of transactions are none.
class DeadlyDatabase final : public relational::Database {
  public:
    DeadlyDatabase(relational::Database& database, Deadly& deadly) : database_(database), deadly_(deadly) {}

    relational::Dialect dialect() const override { return database_.dialect(); }
    boost::asio::awaitable<void> check() override { return database_.check(); }
    boost::asio::awaitable<relational::Result> run(const relational::Statement& statement,
                                                   std::vector<relational::Value> args) override {
        return deadly_.around(std::string(statement.name), database_.run(statement, std::move(args)));
    }
    boost::asio::awaitable<void> run_transaction(TransactionBody body) override {
        return database_.run_transaction(std::move(body));
    }

  private:
    relational::Database& database_;
    Deadly& deadly_;
};

// Steps are "insert_many chats" and so on.
class DeadlyStore final : public document::Store {
  public:
    DeadlyStore(document::Store& store, Deadly& deadly) : store_(store), deadly_(deadly) {}

    boost::asio::awaitable<void> ensure(std::string collection, document::DocumentShape shape,
                                        std::vector<document::Index> indexes) override {
        return store_.ensure(std::move(collection), std::move(shape), std::move(indexes));
    }
    boost::asio::awaitable<void> insert(std::string_view collection, json::Object document) override {
        return step("insert", collection, store_.insert(collection, std::move(document)));
    }
    boost::asio::awaitable<std::vector<std::optional<std::string>>> insert_many(
        std::string_view collection, std::vector<json::Object> documents) override {
        return step("insert_many", collection, store_.insert_many(collection, std::move(documents)));
    }
    boost::asio::awaitable<std::vector<json::Object>> find(std::string_view collection,
                                                           document::Filter filter,
                                                           document::FindOptions options) override {
        return step("find", collection, store_.find(collection, std::move(filter), std::move(options)));
    }
    boost::asio::awaitable<std::optional<json::Object>> update_one(std::string_view collection,
                                                                   document::Filter filter,
                                                                   document::Update update,
                                                                   bool upsert) override {
        return step("update_one", collection,
                    store_.update_one(collection, std::move(filter), std::move(update), upsert));
    }
    boost::asio::awaitable<std::int64_t> update_many(std::string_view collection, document::Filter filter,
                                                     document::Update update) override {
        return step("update_many", collection,
                    store_.update_many(collection, std::move(filter), std::move(update)));
    }
    boost::asio::awaitable<std::int64_t> remove(std::string_view collection,
                                                document::Filter filter) override {
        return step("remove", collection, store_.remove(collection, std::move(filter)));
    }
    boost::asio::awaitable<std::int64_t> count(std::string_view collection,
                                               document::Filter filter) override {
        return step("count", collection, store_.count(collection, std::move(filter)));
    }
    boost::asio::awaitable<void> check() override { return store_.check(); }

  private:
    template <class T>
    boost::asio::awaitable<T> step(std::string_view verb, std::string_view collection,
                                   boost::asio::awaitable<T> work) {
        return deadly_.around(std::string(verb) + " " + std::string(collection), std::move(work));
    }

    document::Store& store_;
    Deadly& deadly_;
};

}  // namespace spaktok::features_testing
