#include <set>

#include <gmock/gmock.h>

#include "features/payments/payment_routes.h"
#include "features/payments/sandbox.h"
#include "features/testing/world.h"
#include "features/wallet/statement_csv.h"
#include "features/wallet/wallet_routes.h"

namespace spaktok::wallet {
namespace {

using features_testing::run;
using features_testing::World;
using http::Method;
using ledger::AccountKind;
using relational::Mode;
using relational::Statement;
using testing::ElementsAre;

Money cents(std::int64_t minor) {
    return Money::from_minor(minor);
}

class WalletTest : public testing::Test {
  protected:
    WalletTest() {
        payments::add_routes(world_.router, payments_);
        add_routes(world_.router, {.ledger = ledger_,
                                   .payments = payments_,
                                   .accounts = world_.accounts,
                                   .database = *world_.database,
                                   .clock = world_.clock});
        run(world_.database->query(Statement{.name = "wallet_test",
                                             .sql = "INSERT INTO gifts (id, name, price, image_url) VALUES "
                                                    "($1, 'Rose, red', $2, '/gifts/rose.svg')",
                                             .mode = Mode::write},
                                   rose_, cents(250)));
    }

    features_testing::Answer get(const std::string& path, std::optional<http::Session> session) {
        return world_.call(Method::get, "/api/v1/wallet" + path, {.session = session});
    }
    features_testing::Answer start(json::Value body, std::optional<std::string> key = "k") {
        features_testing::RequestParts parts{.session = ada_session_, .json = std::move(body)};
        if (key) parts.headers.emplace_back("Idempotency-Key", *key);
        return world_.call(Method::post, "/api/v1/wallet/top_ups", std::move(parts));
    }
    ledger::Outcome book(ledger::Movement movement) {
        std::vector<ledger::Movement> movements;
        movements.push_back(std::move(movement));
        return run(ledger_.book(std::move(movements))).front();
    }
    void top_up(UserId user, std::int64_t amount) {
        book({.header = {.type = ledger::TransactionType::top_up, .receiver = user, .amount = cents(amount)},
              .postings = {{ledger::wallet_of(user), cents(amount)},
                           {{.kind = AccountKind::payment_clearing}, cents(-amount)}}});
    }
    void give(UserId from, UserId to) {
        book({.header = {.type = ledger::TransactionType::gift_sent,
                         .sender = from,
                         .receiver = to,
                         .gift = rose_,
                         .amount = cents(250),
                         .platform_fee = cents(75),
                         .streamer_payout = cents(175)},
              .postings = {{ledger::wallet_of(from), cents(-250)},
                           {ledger::earnings_of(to), cents(175)},
                           {{.kind = AccountKind::platform_revenue}, cents(75)}}});
    }
    // "top_up 1000 → 1000", and where the wallet is not touched "gift_received 250".
    static std::vector<std::string> lines(const json::Value& page) {
        std::vector<std::string> list;
        for (const auto& item : page.at("items").as_array()) {
            std::string line(item.at("type").as_string());
            const auto& change = item.at("wallet_change");
            if (change.is_null()) {
                line += " " + std::to_string(item.at("amount").to_number<std::int64_t>());
            } else {
                line += " " + std::to_string(change.to_number<std::int64_t>()) + " → " +
                        std::to_string(item.at("wallet_balance").to_number<std::int64_t>());
            }
            list.push_back(line);
        }
        return list;
    }

    World world_;
    ledger::Ledger ledger_{{.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    payments::WebClient web_;
    payments::Rates rates_{{.database = *world_.database,
                            .clock = world_.clock,
                            .web = web_,
                            .offer = payments::parse_offer("USD,JPY=151.3")}};
    payments::Service payments_{{.database = *world_.database,
                                 .ledger = ledger_,
                                 .rates = rates_,
                                 .clock = world_.clock,
                                 .provider = std::make_unique<payments::Sandbox>(world_.random)}};
    const GiftId rose_ = GiftId::make(world_.clock.now(), world_.random);
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const http::Session ada_session_ = world_.sign_in(ada_);
    const http::Session bob_session_ = world_.sign_in(bob_);
};

TEST_F(WalletTest, TellsWhatIsInItAndHowToTopItUp) {
    top_up(ada_, 1'234);
    const auto wallet = get("", ada_session_);
    EXPECT_EQ(wallet.status, 200U);
    EXPECT_EQ(wallet.body, json::parse(R"({"balance":1234,"provider":"sandbox","currencies":[
        {"currency":"USD","exchange_rate":10000,"decimals":2},{"currency":"JPY","exchange_rate":1513000,"decimals":0}],
        "top_up_min":100,"top_up_max":50000})"));
    EXPECT_EQ(get("", std::nullopt).problem(), "401 /problems/unauthenticated");
}

TEST_F(WalletTest, TopUpsAreRefusedInOrderOfPrecedence) {
    const auto body = [](std::int64_t amount, const char* currency) {
        return json::Object{{"amount", amount}, {"currency", currency}};
    };
    EXPECT_EQ(world_.call(Method::post, "/api/v1/wallet/top_ups", {.json = body(1, "X")}).problem(),
              "401 /problems/unauthenticated");
    EXPECT_EQ(start(json::Object{{"currency", "USD"}}, std::nullopt).problem(),
              "400 /problems/missing_field amount");
    EXPECT_EQ(start(json::Object{{"amount", 1.5}, {"currency", "USD"}}, std::nullopt).problem(),
              "400 /problems/invalid_field amount");
    EXPECT_EQ(start(body(1, "X"), std::nullopt).problem(),
              "400 /problems/invalid_idempotency_key Idempotency-Key");
    EXPECT_EQ(start(body(1, "X")).problem(), "400 /problems/amount_out_of_range amount");
    EXPECT_EQ(start(body(100, "X")).problem(), "400 /problems/currency_not_offered currency");
    const auto first = start(body(100, "JPY"));
    EXPECT_EQ(first.status, 201U);
    EXPECT_EQ(first.body.at("paid_minor"), 151);
    const auto id = std::string(first.body.at("id").as_string());
    EXPECT_EQ(first.header("Location"), "/api/v1/wallet/top_ups/" + id);
    EXPECT_EQ(start(body(100, "JPY")).body, first.body);
    EXPECT_EQ(start(body(101, "JPY")).problem(), "422 /problems/idempotency_key_reused Idempotency-Key");
    EXPECT_EQ(get("/top_ups/" + id, ada_session_).body, first.body);
    EXPECT_EQ(get("/top_ups/" + id, bob_session_).problem(), "404 /problems/not_found");
    EXPECT_EQ(get("/top_ups/x", ada_session_).problem(), "404 /problems/not_found");
}

TEST_F(WalletTest, AStatementHasEachEndsOwnView) {
    top_up(ada_, 1'000);
    top_up(bob_, 300);
    give(ada_, bob_);
    give(bob_, ada_);
    start(json::Object{{"amount", 500}, {"currency", "JPY"}});
    EXPECT_THAT(lines(get("/transactions", ada_session_).body),
                ElementsAre("top_up 500", "gift_received 250", "gift_sent -250 → 750", "top_up 1000 → 1000"));
    EXPECT_THAT(lines(get("/transactions", bob_session_).body),
                ElementsAre("gift_sent -250 → 50", "gift_received 250", "top_up 300 → 300"));
    const auto items = get("/transactions", ada_session_).body.at("items").as_array();
    EXPECT_EQ(items[0].at("status"), "pending");
    EXPECT_EQ(items[0].at("paid_minor"), 756);  // 756.5, half to even
    EXPECT_EQ(items[1].at("earned"), 175);
    EXPECT_EQ(items[1].at("person").at("username"), "bob");
    EXPECT_EQ(items[2].at("gift").at("name"), "Rose, red");
    EXPECT_TRUE(items[2].at("earned").is_null());
    EXPECT_TRUE(items[3].at("person").is_null());
}

TEST_F(WalletTest, AStatementIsFilteredByTypeAndTime) {
    top_up(ada_, 1'000);
    world_.clock.advance(std::chrono::hours(1));
    give(ada_, bob_);
    world_.clock.advance(std::chrono::hours(1));
    give(bob_, ada_);  // refused: there is nothing in it
    top_up(ada_, 20);
    const auto of = [this](const std::string& query) {
        return lines(get("/transactions?" + query, ada_session_).body);
    };
    EXPECT_THAT(of("type=top_up"), ElementsAre("top_up 20 → 770", "top_up 1000 → 1000"));
    EXPECT_THAT(of("type=gift_sent"), ElementsAre("gift_sent -250 → 750"));
    EXPECT_THAT(of("type=gift_received"), ElementsAre());
    EXPECT_THAT(of("from=2026-01-31T09:00:00Z"), ElementsAre("top_up 20 → 770", "gift_sent -250 → 750"));
    EXPECT_THAT(of("to=2026-01-31T10:00:00Z"), ElementsAre("gift_sent -250 → 750", "top_up 1000 → 1000"));
    EXPECT_THAT(of("from=2026-01-31T09:00:00Z&to=2026-01-31T09:59:59Z"), ElementsAre("gift_sent -250 → 750"));
    EXPECT_EQ(get("/transactions?type=theft", ada_session_).problem(), "400 /problems/invalid_field type");
    EXPECT_EQ(get("/transactions?from=yesterday", ada_session_).problem(),
              "400 /problems/invalid_field from");
    EXPECT_EQ(get("/transactions?to=1", ada_session_).problem(), "400 /problems/invalid_field to");
    EXPECT_EQ(get("/transactions?limit=101", ada_session_).problem(), "400 /problems/invalid_field limit");
    EXPECT_EQ(get("/transactions?cursor=x", ada_session_).problem(), "400 /problems/invalid_cursor cursor");
    EXPECT_EQ(get("/transactions", std::nullopt).problem(), "401 /problems/unauthenticated");
}

TEST_F(WalletTest, PagesNeitherRepeatNorLoseALineAndEndInTheBalance) {
    std::int64_t expected = 0;
    for (int i = 1; i <= 25; ++i) {
        top_up(ada_, 1'000 + i);
        expected += 1'000 + i;
        if (i % 3 != 0) continue;
        give(ada_, bob_);
        expected -= 250;
    }
    std::vector<std::string> all;
    std::string path = "/transactions?limit=7";
    int pages = 0;
    for (;;) {
        const auto page = get(path, ada_session_).body;
        for (const auto& line : lines(page))
            all.push_back(line);
        if (++pages == 2) top_up(ada_, 5);  // in the midst of it: is before the first page
        if (page.at("next_cursor").is_null()) break;
        path = "/transactions?limit=7&cursor=" + std::string(page.at("next_cursor").as_string());
    }
    EXPECT_EQ(pages, 5);
    EXPECT_EQ(all.size(), 33U);
    EXPECT_TRUE(all.front().ends_with("→ " + std::to_string(expected))) << all.front();
    EXPECT_EQ(all.back(), "top_up 1001 → 1001");
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST_F(WalletTest, ACsvIsTheSameStatement) {
    top_up(ada_, 1'000);
    give(ada_, bob_);
    const auto answer = get("/transactions.csv?type=gift_sent", ada_session_);
    EXPECT_EQ(answer.header("Content-Type"), "text/csv; charset=utf-8; header=present");
    EXPECT_EQ(answer.header("Content-Disposition"), "attachment; filename=\"wallet.csv\"");
    const auto newest = get("/transactions?limit=1", ada_session_).body.at("items").at(0);
    EXPECT_EQ(
        answer.bytes,
        "time,id,type,status,amount_usd,wallet_change_usd,wallet_balance_usd,earned_usd,currency,paid,person,"
        "gift\r\n" +
            std::string(newest.at("created_at").as_string()) + "," +
            std::string(newest.at("id").as_string()) +
            ",gift_sent,completed,2.50,-2.50,7.50,,USD,,bob,\"Rose, red\"\r\n");
    EXPECT_EQ(get("/transactions.csv?type=theft", ada_session_).problem(),
              "400 /problems/invalid_field type");
    EXPECT_EQ(get("/transactions.csv", std::nullopt).problem(), "401 /problems/unauthenticated");
}

TEST_F(WalletTest, ACsvHasTenThousandLinesAtTheMost) {
    std::vector<ledger::Movement> movements;
    for (std::int64_t i = 0; i < csv_entries_max; ++i) {
        movements.push_back(
            {.header = {.type = ledger::TransactionType::top_up, .receiver = ada_, .amount = cents(1)},
             .postings = {{ledger::wallet_of(ada_), cents(1)},
                          {{.kind = AccountKind::payment_clearing}, cents(-1)}}});
        if (movements.size() == 500) run(ledger_.book(std::exchange(movements, {})));
    }
    const auto whole = get("/transactions.csv", ada_session_);
    EXPECT_EQ(whole.status, 200U);
    EXPECT_EQ(std::ranges::count(whole.bytes, '\n'), csv_entries_max + 1);
    EXPECT_NE(whole.bytes.find(",0.01,100.00,,USD"), std::string::npos) << "the newest has the whole balance";
    top_up(ada_, 1);
    EXPECT_EQ(get("/transactions.csv", ada_session_).problem(), "400 /problems/statement_too_long from");
}

TEST(Csv, QuotesWhatSpreadsheetsWouldSplitOrRun) {
    Entry entry{.type = EntryType::gift_sent,
                .status = EntryStatus::completed,
                .amount = cents(5),
                .currency = "JPY",
                .paid_minor = 7};
    entry.gift = GiftSummary{.id = {}, .name = "=HYPERLINK(\"x\")", .image_url = ""};
    const auto text = csv_of({entry}, {});
    EXPECT_TRUE(text.ends_with(",gift_sent,completed,0.05,,,,JPY,7,,\"'=HYPERLINK(\"\"x\"\")\"\r\n")) << text;
}

TEST_F(WalletTest, MonthsSumWhatWasCompleted) {
    top_up(ada_, 1'000);
    give(ada_, bob_);
    world_.clock.advance(std::chrono::hours(24));  // February
    top_up(ada_, 200);
    top_up(ada_, 300);
    start(json::Object{{"amount", 500}, {"currency", "USD"}});
    EXPECT_EQ(get("/months", ada_session_).body, json::parse(R"({"items":[
        {"month":"2026-02","topped_up":500,"refunded":0,"gifts_sent":0,"gifts_earned":0,"paid_out":0},
        {"month":"2026-01","topped_up":1000,"refunded":0,"gifts_sent":250,"gifts_earned":0,"paid_out":0}]})"));
    EXPECT_EQ(get("/months", bob_session_).body.at("items").at(0).at("gifts_earned"), 175);
    world_.clock.advance(std::chrono::hours(24 * 340));  // January of the next year
    const auto items = get("/months", ada_session_).body.at("items").as_array();
    ASSERT_EQ(items.size(), 1U) << "twelve months, this one included";
    EXPECT_EQ(items[0].at("month"), "2026-02");
    EXPECT_EQ(get("/months", std::nullopt).problem(), "401 /problems/unauthenticated");
}

}  // namespace
}  // namespace spaktok::wallet
