#include "app/demo/seed.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "app/server.h"
#include "base/error.h"

namespace spaktok::demo {
namespace {

namespace asio = boost::asio;

class SeedTest : public testing::Test {
  protected:
    SeedTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "spaktok-demo-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
        data_ = pattern;
    }
    ~SeedTest() override { std::filesystem::remove_all(data_); }

    std::unique_ptr<app::Server> open() const {
        return std::make_unique<app::Server>(app::load_settings(
            {.flags = {{"data", data_.string()}, {"rtmp", ""}, {"metrics", ""}, {"http", "127.0.0.1:0"}},
             .file = std::nullopt,
             .environment = [](const std::string&) { return std::nullopt; }}));
    }
    Services services(app::Server& server) {
        return {.accounts = server.accounts(),
                .graph = server.graph(),
                .streams = server.streams(),
                .chat = server.chat(),
                .ledger = server.ledger(),
                .clock = clock_,
                .random = random_};
    }

    // What a start does, but for broadcasts and audience.
    void seed(app::Server& server) {
        server.run([&]() -> asio::awaitable<void> {
            Seed seed(services(server));
            co_await seed.look_around();
            co_await seed.settle(people());
            const std::atomic<bool> stopping{false};
            co_await seed.portray(people(), stopping);
            for (const auto& show : shows())
                co_await seed.prepare(show);
            co_await seed.bring_to_life();
        });
    }

    struct Census {
        std::size_t people = 0, pictures = 0, announced = 0, prepared = 0;
        std::int64_t follows = 0;
        std::size_t messages = 0;
        Money money;
        bool operator==(const Census&) const = default;
    };
    static asio::awaitable<void> count(app::Server& server, Census& census) {
        for (const auto& account : co_await server.accounts().list_users("", 1000)) {
            ++census.people;
            census.pictures += account.profile_picture_url.has_value();
            census.follows += (co_await server.graph().counts(account.id)).following;
            census.money += co_await server.ledger().balance(ledger::wallet_of(account.id));
            const auto page = co_await server.streams().list_of(account.id, {.limit = 100});
            for (const auto& stream : page.items) {
                ++(stream.scheduled_for ? census.announced : census.prepared);
                const auto said = co_await server.chat().history(RoomId{stream.id.value}, 100, std::nullopt);
                census.messages += said.items.size();
            }
        }
    }
    static Census census(app::Server& server) {
        Census result;
        server.run([&] { return count(server, result); });
        return result;
    }

    std::filesystem::path data_;
    SystemClock clock_;
    SystemRandom random_;
};

TEST_F(SeedTest, BringsEveryoneOnceHoweverOftenItStarts) {
    Census first;
    {
        const auto server = open();
        seed(*server);
        first = census(*server);
    }
    EXPECT_EQ(first.people, people().size());
    EXPECT_EQ(first.pictures, people().size());
    EXPECT_EQ(first.announced, announcements().size());
    EXPECT_EQ(first.prepared, shows().size());
    EXPECT_GT(first.follows, 60);
    EXPECT_GT(first.messages, 20u);
    EXPECT_EQ(first.money.minor(), static_cast<std::int64_t>(50'000 * people().size()));
    const auto server = open();
    seed(*server);
    EXPECT_EQ(census(*server), first);
}

TEST_F(SeedTest, TheVisitorSignsInAndAPersonWithTheirNewPassword) {
    const auto server = open();
    server->run([&]() -> asio::awaitable<void> {
        for (int start = 0; start < 2; ++start) {
            Seed seed(services(*server));
            co_await seed.look_around();
            co_await seed.settle(people().first(2));
            const std::string other(people()[1].username);
            const auto visitor =
                co_await server->accounts().authenticate({.login = std::string(people()[0].username),
                                                          .password = std::string(visitor_password),
                                                          .remote_address = "127.0.0.1"});
            EXPECT_EQ(visitor.role, accounts::Role::user);
            const auto account = co_await server->accounts().authenticate(
                {.login = other, .password = seed.resident(other).password, .remote_address = "127.0.0.1"});
            EXPECT_EQ(account.id, seed.resident(other).id);
        }
    });
}

TEST_F(SeedTest, KeepsOutOfAPlaceWhereOthersLive) {
    const auto server = open();
    EXPECT_THROW(server->run([&]() -> asio::awaitable<void> {
        co_await server->accounts().create_user(
            {.username = "maya", .email = "maya@example.org", .password = "correct horse battery"},
            accounts::Role::admin);
        Seed seed(services(*server));
        co_await seed.look_around();
    }),
                 Error);
}

}  // namespace
}  // namespace spaktok::demo
