#include <atomic>

#include <gmock/gmock.h>

#include "base/metrics.h"
#include "features/audit_log/audit_log.h"
#include "features/ledger/audit.h"
#include "features/oversight/oversight_routes.h"
#include "features/oversight/oversight_service.h"
#include "features/testing/bank.h"

namespace spaktok::oversight {
namespace {

namespace asio = boost::asio;
using features_testing::Bank;
using features_testing::cents;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using http::Method;
using ledger::earnings_of;
using ledger::Verdict;
using ledger::wallet_of;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const ledger::Account revenue{.kind = ledger::AccountKind::platform_revenue};

TEST(NightlyAudit, IsDueOnceANight) {
    const auto at = [](const char* text) { return *parse_rfc3339(text); };
    EXPECT_TRUE(is_audit_due(std::nullopt, at("2026-01-31T12:00:00Z")));
    EXPECT_FALSE(is_audit_due(at("2026-01-31T03:00:00Z"), at("2026-01-31T12:00:00Z")));
    EXPECT_TRUE(is_audit_due(at("2026-01-31T02:59:59.999Z"), at("2026-01-31T03:00:00Z")));
    EXPECT_FALSE(is_audit_due(at("2026-01-31T03:00:00Z"), at("2026-02-01T02:59:59.999Z")));
    EXPECT_TRUE(is_audit_due(at("2026-01-31T03:00:00Z"), at("2026-02-01T03:00:00Z")));
}

class Oversight : public testing::Test {
  protected:
    Oversight() {
        for (const auto user : {ada_, bob_})
            bank_.top_up(user, 1'000'000);
    }
    asio::awaitable<Service::Reversed> reversing(TransactionId transaction, const std::string& key = "k",
                                                 std::string reason = "Stolen card") {
        return service_.reverse({.actor = eve_,
                                 .transaction = transaction,
                                 .reason = std::move(reason),
                                 .key = Bank::key(eve_, key, transaction.to_string())});
    }
    void audit() { EXPECT_THAT(run(ledger::audit(*world_.database)).differences, IsEmpty()); }
    std::vector<Flag> flags() { return run(service_.flags(FlagStatus::open, {})).items; }
    void give_often(int times, std::int64_t amount) {
        for (int i = 0; i < times; ++i)
            bank_.give(ada_, bob_, amount);
    }

    World world_;
    Bank bank_{world_};
    Service service_{
        {.database = *world_.database,
         .ledger = bank_.ledger,
         .events = world_.events,
         .clock = world_.clock,
         .random = world_.random,
         .flags = {.circle_amount = cents(1'000), .burst_gifts = 5, .burst_amount = cents(5'000)}}};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const UserId eve_ = world_.add_user("eve", accounts::Role::admin).id;
};

TEST_F(Oversight, TakesAGiftBackAsAWhole) {
    const auto gift = bank_.give(ada_, bob_, 1'000, 300);
    const auto reversed = run(reversing(gift, "k", " Stolen card "));
    EXPECT_EQ(reversed.amount, cents(1'000));
    EXPECT_EQ(bank_.balance(wallet_of(ada_)), cents(1'000'000));
    EXPECT_EQ(bank_.balance(earnings_of(bob_)), cents(0));
    EXPECT_EQ(bank_.balance(revenue), cents(0));
    const auto found = run(ledger::find_transaction(*world_.database, gift));
    EXPECT_EQ(found->reversed_by, reversed.transaction_id);
    const auto log = run(audit_log::list(*world_.database, {})).items;
    ASSERT_EQ(log.size(), 1U);
    EXPECT_EQ(log[0].actor_id, eve_);
    EXPECT_EQ(log[0].action, "gift.reverse");
    EXPECT_EQ(log[0].subject_id, gift.to_string());
    EXPECT_EQ(log[0].details.at("reason"), "Stolen card");
    audit();
}

TEST_F(Oversight, TakesFromEarningsThatWerePaidOut) {
    const auto gift = bank_.give(ada_, bob_, 1'000, 300);
    bank_.book({.header = {.type = ledger::TransactionType::adjustment, .sender = bob_, .amount = cents(700)},
                .postings = {{earnings_of(bob_), cents(-700)}, {revenue, cents(700)}}});
    run(reversing(gift));
    EXPECT_EQ(bank_.balance(earnings_of(bob_)), cents(-700));
    EXPECT_EQ(run(service_.totals()).earnings_below_zero, cents(-700));
    audit();
}

TEST_F(Oversight, TakesBackGiftsThatAreAllFeeOrHaveNone) {
    run(reversing(bank_.give(ada_, bob_, 10, 10), "1"));
    run(reversing(bank_.give(ada_, bob_, 10, 0), "2"));
    EXPECT_EQ(bank_.balance(wallet_of(ada_)), cents(1'000'000));
    audit();
}

TEST_F(Oversight, RefusesToTakeBackInOrderOfPrecedence) {
    const auto gift = bank_.give(ada_, bob_, 1'000);
    const TransactionId unknown = TransactionId::make(world_.clock.now(), world_.random);
    const auto top_up = bank_.top_up(ada_, 5);
    EXPECT_EQ(failure_of(reversing(unknown, "k", " ")), "invalid_argument invalid_field reason");
    EXPECT_EQ(failure_of(reversing(unknown, "k", std::string(501, 'x'))),
              "invalid_argument invalid_field reason");
    EXPECT_EQ(failure_of(reversing(unknown)), "not_found");
    EXPECT_EQ(failure_of(reversing(top_up)), "conflict not_reversible");
    const auto reversed = run(reversing(gift, "k", std::string(500, 'x')));
    EXPECT_EQ(failure_of(reversing(bank_.give(ada_, bob_, 1), "k")),
              "unprocessable idempotency_key_reused Idempotency-Key");
    EXPECT_EQ(failure_of(reversing(gift, "another")), "conflict already_reversed");
    EXPECT_EQ(failure_of(reversing(reversed.transaction_id, "third")), "conflict not_reversible");
    EXPECT_EQ(run(reversing(gift)).transaction_id, reversed.transaction_id) << "repeated";
    audit();
}

TEST_F(Oversight, TakesAGiftBackOnceHoweverManyTryAtOnce) {
    const auto gift = bank_.give(ada_, bob_, 1'000, 300);
    std::atomic<int> won = 0;
    engines::testing::in_parallel(4, [&](int thread) {
        const auto failure = failure_of(reversing(gift, std::to_string(thread)));
        if (failure.empty()) ++won;
        EXPECT_TRUE(failure.empty() || failure == "conflict already_reversed") << failure;
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(bank_.balance(wallet_of(ada_)), cents(1'000'000));
    audit();
}

TEST_F(Oversight, TellsOthersWhatWasTakenBack) {
    const auto gift = bank_.give(ada_, bob_, 1'000);
    std::vector<json::Object> told;
    std::mutex mutex;
    world_.events.subscribe("gifts.reversed", [&](const events::Event& event) -> asio::awaitable<void> {
        const std::scoped_lock lock(mutex);
        told.push_back(event.payload);
        co_return;
    });
    world_.events.start();
    const auto reversed = run(reversing(gift));
    run(reversing(gift));
    EXPECT_TRUE(features_testing::eventually([&] { return world_.outbox_size() == 0; }));
    const std::scoped_lock lock(mutex);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].at("transaction_id").as_string(), gift.to_string());
    EXPECT_EQ(told[0].at("reversal_id").as_string(), reversed.transaction_id.to_string());
    EXPECT_EQ(told[0].at("sender_id").as_string(), ada_.to_string());
    EXPECT_EQ(told[0].at("receiver_id").as_string(), bob_.to_string());
    EXPECT_EQ(told[0].at("amount"), 1'000);
    EXPECT_TRUE(told[0].at("stream_id").is_null());
}

TEST_F(Oversight, FlagsManyGiftsWithinTenMinutes) {
    give_often(5, 1);
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty()) << "as many as may be";
    world_.clock.advance(minutes(10));
    bank_.give(ada_, bob_, 1);
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty()) << "the others are ten minutes old";
    give_often(5, 1);
    run(service_.find_flags());
    ASSERT_EQ(flags().size(), 1U);
    EXPECT_EQ(flags()[0].kind, FlagKind::burst);
    EXPECT_EQ(flags()[0].user_id, ada_);
    EXPECT_EQ(flags()[0].gifts_count, 6);
    EXPECT_EQ(flags()[0].amount, cents(6));
    run(service_.find_flags());
    give_often(1, 1);
    run(service_.find_flags());
    EXPECT_EQ(flags().size(), 1U) << "once for a window";
}

TEST_F(Oversight, FlagsALargeSumWithinTenMinutes) {
    bank_.give(ada_, bob_, 5'000);
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty());
    bank_.give(ada_, bob_, 1);
    run(service_.find_flags());
    ASSERT_EQ(flags().size(), 1U);
    EXPECT_EQ(flags()[0].amount, cents(5'001));
    EXPECT_EQ(run(service_.open_flags()), 1);
}

TEST_F(Oversight, FlagsGiftsThatGoInACircleWithinADay) {
    bank_.give(ada_, bob_, 1'500);
    bank_.give(bob_, ada_, 999);
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty());
    world_.clock.advance(hours(24) + std::chrono::milliseconds(1));
    bank_.give(bob_, ada_, 1'000);
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty()) << "what ada gave is a day old";
    bank_.give(ada_, bob_, 400);
    bank_.give(ada_, bob_, 600);
    run(service_.find_flags());
    ASSERT_EQ(flags().size(), 1U);
    const auto flag = flags()[0];
    EXPECT_EQ(flag.kind, FlagKind::circle);
    EXPECT_THAT((std::vector{flag.user_id, *flag.other_user_id}), UnorderedElementsAre(ada_, bob_));
    EXPECT_EQ(flag.gifts_count, 3);
    EXPECT_EQ(flag.amount, cents(1'000));
    run(service_.find_flags());
    EXPECT_EQ(flags().size(), 1U);
}

TEST_F(Oversight, DismissesAFlagOnce) {
    bank_.give(ada_, bob_, 5'001);
    run(service_.find_flags());
    const auto id = flags().at(0).id;
    EXPECT_EQ(failure_of(service_.dismiss(eve_, FlagId::make(world_.clock.now(), world_.random))),
              "not_found");
    const auto flag = run(service_.dismiss(eve_, id));
    EXPECT_EQ(flag.status, FlagStatus::dismissed);
    EXPECT_EQ(flag.decided_by, eve_);
    EXPECT_EQ(flag.decided_at, world_.clock.now());
    EXPECT_EQ(failure_of(service_.dismiss(eve_, id)), "conflict flag_dismissed");
    run(service_.find_flags());
    EXPECT_THAT(flags(), IsEmpty()) << "its window was looked at";
    EXPECT_EQ(run(service_.flags(FlagStatus::dismissed, {})).items.size(), 1U);
    EXPECT_EQ(run(audit_log::list(*world_.database, {})).items.at(0).action, "flag.dismiss");
}

TEST_F(Oversight, AuditsEveryNightAndKeepsTheResult) {
    EXPECT_FALSE(run(service_.last_audit()).has_value());
    run(service_.audit_nightly());
    const auto first = run(service_.last_audit());
    ASSERT_TRUE(first);
    EXPECT_EQ(first->differences_count, 0);
    EXPECT_GT(first->values_count, 0);
    run(service_.audit_nightly());
    EXPECT_EQ(run(service_.last_audit())->id, first->id);
    bank_.write("UPDATE ledger_accounts SET balance_minor = balance_minor + 1 WHERE kind = 'wallet'");
    world_.clock.advance(days(1));
    run(service_.audit_nightly());
    const auto second = run(service_.last_audit());
    EXPECT_EQ(second->differences_count, 3);
    EXPECT_THAT(second->differences, testing::Contains("sum of all accounts: is 2, expected 0"));
    run(service_.report_audit());
    EXPECT_THAT(metrics::expose(), testing::HasSubstr("spaktok_ledger_differences 3"));
    EXPECT_EQ(bank_.number("SELECT balance_minor AS n FROM ledger_accounts WHERE kind = 'payment_clearing'"),
              -2'000'000)
        << "nothing is repaired";
}

TEST_F(Oversight, SumsRevenueByDay) {
    const auto gift = bank_.give(ada_, bob_, 1'000, 300);
    world_.clock.advance(days(2));
    bank_.give(ada_, bob_, 1'000, 200);
    run(reversing(gift));
    const auto revenue_days = run(service_.revenue(3));
    ASSERT_EQ(revenue_days.size(), 3U);
    EXPECT_EQ(revenue_days[0].revenue, cents(300));
    EXPECT_EQ(revenue_days[1].revenue, cents(0));
    EXPECT_EQ(revenue_days[2].revenue, cents(-100));
    EXPECT_EQ(revenue_days[2].day, to_rfc3339(world_.clock.now()).substr(0, 10));
    EXPECT_EQ(run(service_.revenue(1)).size(), 1U);
    const auto totals = run(service_.totals());
    EXPECT_EQ(totals.platform_revenue, cents(200));
    EXPECT_EQ(totals.wallets + totals.earnings + totals.platform_revenue, -totals.payment_clearing);
}

// Whatever is asked for, in any order: the books agree at the end.
TEST_F(Oversight, KeepsTheBooksInOrderOverAnySequenceOfOperations) {
    const std::uint64_t seed = SystemRandom().below(1'000'000);
    std::cout << "seed " << seed << "\n";
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    payouts::Service payouts({.database = *world_.database,
                              .ledger = bank_.ledger,
                              .clock = world_.clock,
                              .random = world_.random,
                              .rules = {.minimum = cents(100), .holding = days(1)}});
    std::vector<UserId> people{ada_, bob_};
    for (const auto* name : {"cleo", "dave"})
        people.push_back(world_.add_user(name).id);
    std::vector<TransactionId> gifts;
    std::vector<payouts::PayoutId> asked;
    std::map<std::string, int> outcomes;
    const auto anyone = [&] { return people[random.below(people.size())]; };
    const auto attempt = [&](const std::string& what, auto work) {
        const auto failure = failure_of(std::move(work));
        ++outcomes[failure.empty() ? what : failure];
        return failure.empty();
    };
    constexpr int operations = 10'000;
    for (int i = 0; i < operations; ++i) {
        const auto user = anyone();
        const auto amount = static_cast<std::int64_t>(1 + random.below(2'000));
        const auto key = std::to_string(i);
        switch (random.below(20)) {
            case 0: {
                bank_.top_up(user, amount);
                break;
            }
            case 1: {  // an operator corrects something
                ledger::Movement movement{
                    .header = {.type = ledger::TransactionType::adjustment,
                               .receiver = user,
                               .amount = cents(amount)},
                    .postings = {{wallet_of(user), cents(amount)}, {revenue, cents(-amount)}}};
                if (random.below(2) == 0)
                    for (auto& posting : movement.postings)
                        posting.amount = -posting.amount;
                bank_.book(std::move(movement));
                break;
            }
            case 2:
            case 3: {
                const auto made = run([](payouts::Service& service, payouts::Service::Request request)
                                          -> asio::awaitable<std::optional<payouts::PayoutId>> {
                    try {
                        co_return (co_await service.request(std::move(request))).id;
                    } catch (const Error&) {
                        co_return std::nullopt;
                    }
                }(payouts, {.user = user, .amount = cents(amount), .key = Bank::key(user, key)}));
                if (made) asked.push_back(*made);
                ++outcomes[made ? "payout" : "no payout"];
                break;
            }
            case 4:
            case 5:
            case 6: {
                if (asked.empty()) break;
                const payouts::Service::Decision decision{
                    .actor = eve_, .payout = asked[random.below(asked.size())], .reason = "Because"};
                constexpr std::array decide{&payouts::Service::approve, &payouts::Service::refuse,
                                            &payouts::Service::mark_paid, &payouts::Service::mark_failed};
                attempt("decision", (payouts.*decide.at(random.below(4)))(decision));
                break;
            }
            case 7: {
                if (gifts.empty()) break;
                attempt("reversal", reversing(gifts[random.below(gifts.size())], key));
                break;
            }
            case 8: {
                world_.clock.advance(hours(1));
                break;
            }
            default: {
                const auto other = anyone();
                if (other == user) break;
                const auto fee =
                    static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(amount) + 1));
                const auto outcome = bank_.try_give(user, other, amount, fee);
                if (outcome.verdict == Verdict::booked) gifts.push_back(outcome.booked.transaction_id);
                ++outcomes[outcome.verdict == Verdict::booked ? "gift" : "no gift"];
            }
        }
    }
    audit();
    EXPECT_EQ(bank_.number("SELECT count(*) AS n FROM transactions WHERE transaction_type = 'gift_sent' AND "
                           "platform_fee + streamer_payout <> amount"),
              0);
    EXPECT_EQ(
        bank_.number("SELECT count(*) AS n FROM ledger_accounts WHERE kind = 'wallet' AND balance_minor < 0"),
        0);
    EXPECT_EQ(bank_.number("SELECT CAST(sum(balance_minor) AS BIGINT) AS n FROM ledger_accounts"), 0);
    for (const auto* what : {"gift", "payout", "no payout", "decision", "reversal", "conflict payout_decided",
                             "conflict already_reversed"})
        EXPECT_GT(outcomes[what], 0) << what << " was never tried";
}

class OversightRoutes : public Oversight {
  protected:
    OversightRoutes() {
        add_routes(world_.router, {.database = *world_.database,
                                   .oversight = service_,
                                   .payouts = payouts_,
                                   .accounts = world_.accounts});
    }
    features_testing::Answer get(const std::string& path) {
        return world_.call(Method::get, "/api/v1/admin/" + path, {.session = session_});
    }
    features_testing::Answer post(const std::string& path, json::Value body = json::Object{}) {
        return world_.call(Method::post, "/api/v1/admin/" + path,
                           {.session = session_,
                            .json = std::move(body),
                            .headers = {{"Idempotency-Key", "k" + std::to_string(++keys_)}}});
    }
    std::string asked() {
        bank_.give(bob_, ada_, 5'000);
        world_.clock.advance(days(7));
        return run(payouts_.request({.user = ada_, .amount = cents(2'000), .key = Bank::key(ada_, "p")}))
            .id.to_string();
    }

    payouts::Service payouts_{{.database = *world_.database,
                               .ledger = bank_.ledger,
                               .clock = world_.clock,
                               .random = world_.random}};
    const http::Session session_ = world_.sign_in(eve_);
    int keys_ = 0;
};

TEST_F(OversightRoutes, AreForAdministratorsOnly) {
    const auto session = world_.sign_in(ada_);
    const std::string id = "/" + TransactionId::make(world_.clock.now(), world_.random).to_string() + "/";
    const std::vector<std::pair<Method, std::string>> routes{{Method::get, "money"},
                                                             {Method::get, "money/revenue"},
                                                             {Method::get, "transactions"},
                                                             {Method::get, "payouts"},
                                                             {Method::get, "flags"},
                                                             {Method::get, "audit_log"},
                                                             {Method::post, "transactions" + id + "reverse"},
                                                             {Method::post, "payouts" + id + "approve"},
                                                             {Method::post, "payouts" + id + "refuse"},
                                                             {Method::post, "payouts" + id + "paid"},
                                                             {Method::post, "payouts" + id + "failed"},
                                                             {Method::post, "flags" + id + "dismiss"}};
    for (const auto& [method, path] : routes) {
        SCOPED_TRACE(path);
        EXPECT_EQ(world_.call(method, "/api/v1/admin/" + path).status, 401U);
        EXPECT_EQ(world_.call(method, "/api/v1/admin/" + path, {.session = session}).problem(),
                  "403 /problems/forbidden");
    }
}

TEST_F(OversightRoutes, DecideOnPayouts) {
    const auto id = asked();
    const auto listed = get("payouts").body.at("items").as_array();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].at("user").at("username"), "ada");
    EXPECT_EQ(get("payouts?status=stolen").problem(), "400 /problems/invalid_field status");
    EXPECT_EQ(post("payouts/" + id + "/refuse").problem(), "400 /problems/missing_field reason");
    const auto approved = post("payouts/" + id + "/approve");
    EXPECT_EQ(approved.body.at("status"), "approved");
    EXPECT_EQ(approved.body.at("decided_by").at("username"), "eve");
    EXPECT_EQ(post("payouts/" + id + "/refuse", {{"reason", "No"}}).problem(),
              "409 /problems/payout_decided");
    EXPECT_EQ(post("payouts/" + id + "/paid").body.at("status"), "paid");
    EXPECT_EQ(get("payouts?status=paid").body.at("items").as_array().size(), 1U);
    EXPECT_EQ(get("audit_log").body.at("items").at(0).at("action"), "payout.paid");
}

TEST_F(OversightRoutes, ShowTheMoney) {
    asked();
    run(service_.run_audit());
    const auto money = get("money").body;
    EXPECT_EQ(money.at("payouts_requested").at("count"), 1);
    EXPECT_EQ(money.at("payouts_requested").at("amount"), 2'000);
    EXPECT_EQ(money.at("payout_clearing"), 2'000);
    EXPECT_EQ(money.at("wallets"), 1'995'000);
    EXPECT_EQ(money.at("audit").at("differences_count"), 0);
    EXPECT_EQ(get("money/revenue").body.at("items").as_array().size(), 30U);
    EXPECT_EQ(get("money/revenue?days=90").body.at("items").as_array().size(), 90U);
    EXPECT_EQ(get("money/revenue?days=91").problem(), "400 /problems/invalid_field days");
}

TEST_F(OversightRoutes, TakeGiftsBackAndShowIt) {
    const auto gift = bank_.give(ada_, bob_, 700, 70).to_string();
    const auto answer = post("transactions/" + gift + "/reverse", {{"reason", "Stolen card"}});
    EXPECT_EQ(answer.body.at("amount"), 700);
    EXPECT_EQ(post("transactions/" + gift + "/reverse", {{"reason", "Stolen card"}}).problem(),
              "409 /problems/already_reversed");
    const auto page = get("transactions?limit=2").body;
    EXPECT_EQ(page.at("items").at(0).at("reverses_id").as_string(), gift);
    EXPECT_EQ(page.at("items").at(1).at("reversed_by_id"), answer.body.at("transaction_id"));
    EXPECT_EQ(page.at("items").at(1).at("sender").at("username"), "ada");
    const std::string next(page.at("next_cursor").as_string());
    EXPECT_EQ(get("transactions?cursor=" + next).body.at("items").at(0).at("transaction_type"), "top_up");
}

TEST_F(OversightRoutes, ShowFlagsAndDismissThem) {
    bank_.give(ada_, bob_, 5'001);
    run(service_.find_flags());
    const auto listed = get("flags").body.at("items").at(0);
    EXPECT_EQ(listed.at("kind"), "burst");
    EXPECT_EQ(listed.at("user").at("username"), "ada");
    const std::string id(listed.at("id").as_string());
    EXPECT_EQ(post("flags/" + id + "/dismiss").body.at("status"), "dismissed");
    EXPECT_EQ(post("flags/" + id + "/dismiss").problem(), "409 /problems/flag_dismissed");
    EXPECT_EQ(get("flags?status=dismissed").body.at("items").as_array().size(), 1U);
}

}  // namespace
}  // namespace spaktok::oversight
