#include <atomic>

#include <gmock/gmock.h>

#include "features/audit_log/audit_log.h"
#include "features/ledger/audit.h"
#include "features/payouts/payout_routes.h"
#include "features/payouts/payout_service.h"
#include "features/testing/bank.h"

namespace spaktok::payouts {
namespace {

namespace asio = boost::asio;
using features_testing::Bank;
using features_testing::cents;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using http::Method;
using ledger::AccountKind;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

const ledger::Account clearing{.kind = AccountKind::payout_clearing};

TEST(PayoutRules, AskForTheMinimumAndForWhatIsAvailable) {
    const Rules rules;
    const auto refusal = [&](std::int64_t amount) {
        return failure_of([&] { check_amount(cents(amount), rules); });
    };
    EXPECT_EQ(refusal(0), "invalid_argument invalid_field amount");
    EXPECT_EQ(refusal(10'000'000'000), "invalid_argument invalid_field amount");
    EXPECT_EQ(refusal(9'999'999'999), "");
    EXPECT_EQ(refusal(1'999), "conflict payout_below_minimum amount");
    EXPECT_EQ(refusal(2'000), "");
}

TEST(PayoutRules, RefuseInOrderOfPrecedence) {
    const auto refusal = [](std::int64_t balance, std::int64_t on_hold, bool has_open) {
        const auto earnings = earnings_of({.balance = cents(balance), .recent = cents(on_hold)}, {});
        return failure_of([&] { check_request({.amount = cents(2'000), .has_open = has_open}, earnings); });
    };
    EXPECT_EQ(refusal(-1, 0, true), "conflict earnings_below_zero");
    EXPECT_EQ(refusal(0, 0, true), "conflict payout_under_way");
    EXPECT_EQ(refusal(2'000, 1, false), "insufficient_funds not_yet_available amount");
    EXPECT_EQ(refusal(1'999, 0, false), "insufficient_funds not_yet_available amount");
    EXPECT_EQ(refusal(2'001, 1, false), "");
}

class Payouts : public testing::Test {
  protected:
    Payouts() {
        bank_.top_up(ada_, 100'000);
        bank_.give(ada_, bob_, 10'000, 3'000);
    }
    void pass_holding() { world_.clock.advance(days(7)); }
    asio::awaitable<Payout> requesting(std::int64_t amount, const std::string& key = "k") {
        return service_.request(
            {.user = bob_, .amount = cents(amount), .key = Bank::key(bob_, key, std::to_string(amount))});
    }
    Payout request(std::int64_t amount, const std::string& key = "k") { return run(requesting(amount, key)); }
    Service::Decision decision(const Payout& payout, std::string reason = "Not this time") {
        return {.actor = eve_, .payout = payout.id, .reason = std::move(reason)};
    }
    std::vector<std::string> logged() {
        std::vector<std::string> actions;
        for (const auto& entry : run(audit_log::list(*world_.database, {})).items)
            actions.push_back(entry.action + " " + entry.subject_type);
        return actions;
    }
    void audit() { EXPECT_THAT(run(ledger::audit(*world_.database)).differences, IsEmpty()); }

    World world_;
    Bank bank_{world_};
    Service service_{{.database = *world_.database,
                      .ledger = bank_.ledger,
                      .clock = world_.clock,
                      .random = world_.random}};
    // Of another node.
    ledger::Ledger other_ledger_{
        {.database = *world_.database, .clock = world_.clock, .random = world_.random}};
    Service other_{{.database = *world_.database,
                    .ledger = other_ledger_,
                    .clock = world_.clock,
                    .random = world_.random}};
    const UserId ada_ = world_.add_user("ada").id;
    const UserId bob_ = world_.add_user("bob").id;
    const UserId eve_ = world_.add_user("eve", accounts::Role::admin).id;
};

TEST_F(Payouts, HoldGiftsUntilTheyAreOldEnough) {
    const auto given_at = world_.clock.now();
    world_.clock.advance(days(7) - milliseconds(1));
    bank_.give(ada_, bob_, 100);
    auto earnings = run(service_.earnings(bob_));
    EXPECT_EQ(earnings.balance, cents(7'100));
    EXPECT_EQ(earnings.on_hold, cents(7'100));
    EXPECT_EQ(earnings.available, cents(0));
    EXPECT_EQ(earnings.next_free_at, given_at + days(7));
    EXPECT_EQ(earnings.all_free_at, world_.clock.now() + days(7));
    world_.clock.advance(milliseconds(1));
    earnings = run(service_.earnings(bob_));
    EXPECT_EQ(earnings.on_hold, cents(100));
    EXPECT_EQ(earnings.available, cents(7'000));
    EXPECT_EQ(run(service_.earnings(ada_)).balance, cents(0)) << "who never earned";
    EXPECT_EQ(run(service_.earnings(ada_)).next_free_at, std::nullopt);
}

TEST_F(Payouts, AreTakenFromTheEarnings) {
    pass_holding();
    const auto payout = request(5'000);
    EXPECT_EQ(payout.user_id, bob_);
    EXPECT_EQ(payout.amount, cents(5'000));
    EXPECT_EQ(payout.status, Status::requested);
    EXPECT_EQ(payout.created_at, world_.clock.now());
    EXPECT_EQ(bank_.balance(ledger::earnings_of(bob_)), cents(2'000));
    EXPECT_EQ(bank_.balance(clearing), cents(5'000));
    EXPECT_EQ(run(service_.open_of(bob_))->id, payout.id);
    EXPECT_EQ(run(service_.waiting(Status::requested)).amount, cents(5'000));
    EXPECT_EQ(run(service_.waiting(Status::approved)).count, 0);
    audit();
}

TEST_F(Payouts, AreRefusedInOrderOfPrecedence) {
    EXPECT_EQ(failure_of(requesting(0)), "invalid_argument invalid_field amount");
    EXPECT_EQ(failure_of(requesting(1'999)), "conflict payout_below_minimum amount");
    EXPECT_EQ(failure_of(requesting(2'000)), "insufficient_funds not_yet_available amount") << "on hold";
    pass_holding();
    EXPECT_EQ(failure_of(requesting(7'001)), "insufficient_funds not_yet_available amount");
    request(2'000, "first");
    EXPECT_EQ(failure_of(requesting(2'001, "first")), "unprocessable idempotency_key_reused Idempotency-Key");
    EXPECT_EQ(failure_of(requesting(2'000, "second")), "conflict payout_under_way");
    bank_.book(
        {.header = {.type = ledger::TransactionType::adjustment, .sender = bob_, .amount = cents(5'001)},
         .postings = {{ledger::earnings_of(bob_), cents(-5'001)},
                      {{.kind = AccountKind::platform_revenue}, cents(5'001)}},
         .may_overdraw_earnings = true});
    EXPECT_EQ(failure_of(requesting(2'000, "third")), "conflict earnings_below_zero");
    EXPECT_EQ(bank_.balance(clearing), cents(2'000));
    audit();
}

TEST_F(Payouts, AreAskedForOnceHoweverOftenARequestIsRepeated) {
    pass_holding();
    std::atomic<int> answered = 0;
    engines::testing::in_parallel(4, [&](int thread) {
        for (int i = 0; i < 5; ++i) {
            auto& service = thread % 2 == 0 ? service_ : other_;
            const auto payout = run(service.request(
                {.user = bob_, .amount = cents(3'000), .key = Bank::key(bob_, "same", "3000")}));
            EXPECT_EQ(payout.amount, cents(3'000));
            ++answered;
        }
    });
    EXPECT_EQ(answered, 20);
    EXPECT_EQ(bank_.number("SELECT count(*) AS n FROM payouts"), 1);
    EXPECT_EQ(bank_.balance(clearing), cents(3'000));
}

TEST_F(Payouts, AreUnderWayOneAtATime) {
    pass_holding();
    std::atomic<int> booked = 0;
    engines::testing::in_parallel(4, [&](int thread) {
        auto& service = thread % 2 == 0 ? service_ : other_;
        const auto failure = failure_of(service.request(
            {.user = bob_, .amount = cents(2'000), .key = Bank::key(bob_, std::to_string(thread))}));
        if (failure.empty()) ++booked;
        EXPECT_TRUE(failure.empty() || failure == "conflict payout_under_way") << failure;
    });
    EXPECT_EQ(booked, 1);
    EXPECT_EQ(bank_.balance(clearing), cents(2'000));
    audit();
}

TEST_F(Payouts, GoFromRequestedOverApprovedToPaid) {
    pass_holding();
    const auto asked = request(7'000);
    world_.clock.advance(hours(1));
    const auto approved = run(service_.approve(decision(asked)));
    EXPECT_EQ(approved.status, Status::approved);
    EXPECT_EQ(approved.decided_by, eve_);
    EXPECT_EQ(approved.decided_at, world_.clock.now());
    EXPECT_EQ(approved.reason, std::nullopt);
    world_.clock.advance(hours(1));
    const auto paid = run(service_.mark_paid(decision(asked)));
    EXPECT_EQ(paid.status, Status::paid);
    EXPECT_EQ(paid.decided_at, approved.decided_at);
    EXPECT_EQ(paid.updated_at, world_.clock.now());
    EXPECT_EQ(bank_.balance(clearing), cents(7'000)) << "it left";
    EXPECT_FALSE(run(service_.open_of(bob_)).has_value());
    EXPECT_THAT(logged(), ElementsAre("payout.paid payout", "payout.approve payout"));
    audit();
}

TEST_F(Payouts, GiveTheMoneyBackWhereTheyAreRefusedOrFail) {
    pass_holding();
    const auto first = run(service_.refuse(decision(request(7'000, "1"), " No such account ")));
    EXPECT_EQ(first.status, Status::refused);
    EXPECT_EQ(first.reason, "No such account");
    EXPECT_EQ(first.decided_by, eve_);
    EXPECT_EQ(bank_.balance(ledger::earnings_of(bob_)), cents(7'000));
    const auto second = request(7'000, "2");
    world_.clock.advance(std::chrono::seconds(1));
    run(service_.approve(decision(second)));
    world_.clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(run(service_.mark_failed(decision(second, "The bank sent it back"))).status, Status::failed);
    EXPECT_EQ(bank_.balance(ledger::earnings_of(bob_)), cents(7'000));
    EXPECT_EQ(bank_.balance(clearing), cents(0));
    EXPECT_EQ(run(service_.earnings(bob_)).available, cents(7'000)) << "what came back is not on hold";
    EXPECT_THAT(logged(),
                ElementsAre("payout.failed payout", "payout.approve payout", "payout.refuse payout"));
    audit();
}

TEST_F(Payouts, AreDecidedOnlyInTheStateThatADecisionAsksFor) {
    struct Row {
        std::vector<Status> before;
        asio::awaitable<Payout> (Service::*decide)(Service::Decision);
        std::string outcome;
    };
    const auto approve = &Service::approve;
    const auto refuse = &Service::refuse;
    const auto pay = &Service::mark_paid;
    const auto fail = &Service::mark_failed;
    const std::string decided = "conflict payout_decided";
    const std::vector<Row> rows{{{}, pay, decided},
                                {{}, fail, decided},
                                {{Status::refused}, approve, decided},
                                {{Status::refused}, refuse, decided},
                                {{Status::refused}, pay, decided},
                                {{Status::refused}, fail, decided},
                                {{Status::approved}, approve, decided},
                                {{Status::approved}, refuse, decided},
                                {{Status::approved, Status::paid}, pay, decided},
                                {{Status::approved, Status::paid}, fail, decided},
                                {{Status::approved, Status::failed}, pay, decided},
                                {{Status::approved, Status::failed}, fail, decided}};
    const std::map<Status, asio::awaitable<Payout> (Service::*)(Service::Decision)> step{
        {Status::approved, approve}, {Status::refused, refuse}, {Status::paid, pay}, {Status::failed, fail}};
    bank_.give(ada_, bob_, 80'000);
    pass_holding();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        SCOPED_TRACE(i);
        const auto payout = request(2'000, std::to_string(i));
        for (const auto status : rows[i].before)
            run((service_.*step.at(status))(decision(payout)));
        EXPECT_EQ(failure_of((service_.*rows[i].decide)(decision(payout))), rows[i].outcome);
        if (run(service_.open_of(bob_))) {
            if (rows[i].before.empty()) run(service_.approve(decision(payout)));
            run(service_.mark_failed(decision(payout)));
        }
    }
    audit();
}

TEST_F(Payouts, RefuseDecisionsInOrderOfPrecedence) {
    pass_holding();
    const auto payout = request(2'000);
    const Payout unknown{.id = PayoutId::make(world_.clock.now(), world_.random)};
    EXPECT_EQ(failure_of(service_.refuse(decision(unknown, "  "))), "invalid_argument invalid_field reason");
    EXPECT_EQ(failure_of(service_.refuse(decision(payout, std::string(501, 'x')))),
              "invalid_argument invalid_field reason");
    EXPECT_EQ(failure_of(service_.refuse(decision(unknown))), "not_found");
    EXPECT_EQ(failure_of(service_.approve(decision(unknown))), "not_found");
    bank_.book(
        {.header = {.type = ledger::TransactionType::adjustment, .sender = bob_, .amount = cents(5'001)},
         .postings = {{ledger::earnings_of(bob_), cents(-5'001)},
                      {{.kind = AccountKind::platform_revenue}, cents(5'001)}},
         .may_overdraw_earnings = true});
    EXPECT_EQ(failure_of(service_.approve(decision(payout))), "conflict earnings_below_zero");
    EXPECT_THAT(logged(), IsEmpty());
    EXPECT_EQ(run(service_.refuse(decision(payout, std::string(500, 'x')))).status, Status::refused);
}

TEST_F(Payouts, AreDecidedOnceHoweverManyDecideAtOnce) {
    bank_.give(ada_, bob_, 80'000);
    pass_holding();
    for (int round = 0; round < 10; ++round) {
        const auto payout = request(2'000, std::to_string(round));
        std::atomic<int> won = 0;
        engines::testing::in_parallel(4, [&](int thread) {
            auto& service = thread < 2 ? service_ : other_;
            const auto failure = failure_of(thread % 2 == 0 ? service.approve(decision(payout))
                                                            : service.refuse(decision(payout)));
            if (failure.empty()) ++won;
            EXPECT_TRUE(failure.empty() || failure == "conflict payout_decided") << failure;
        });
        EXPECT_EQ(won, 1);
        if (run(service_.open_of(bob_))) run(service_.mark_failed(decision(payout)));
    }
    EXPECT_EQ(bank_.balance(clearing), cents(0));
    audit();
}

TEST_F(Payouts, AreListedForTheirOwnerAndByState) {
    bank_.give(ada_, bob_, 80'000);
    pass_holding();
    std::vector<PayoutId> ids;
    for (int i = 0; i < 3; ++i) {
        world_.clock.advance(hours(1));
        const auto payout = request(2'000, std::to_string(i));
        if (i < 2) run(service_.refuse(decision(payout)));
        ids.push_back(payout.id);
    }
    const auto listed = [](const paging::Page<Payout>& page) {
        std::vector<PayoutId> of_page;
        for (const auto& payout : page.items)
            of_page.push_back(payout.id);
        return of_page;
    };
    const auto first = run(service_.list_of(bob_, {.limit = 2}));
    EXPECT_THAT(listed(first), ElementsAre(ids[2], ids[1]));
    EXPECT_THAT(listed(run(service_.list_of(bob_, {.limit = 2, .cursor = first.next_cursor}))),
                ElementsAre(ids[0]));
    EXPECT_THAT(listed(run(service_.list_of(ada_, {}))), IsEmpty());
    EXPECT_THAT(listed(run(service_.list(Status::requested, {}))), ElementsAre(ids[2]));
    const auto refused = run(service_.list(Status::refused, {.limit = 1}));
    EXPECT_THAT(listed(refused), ElementsAre(ids[1]));
    EXPECT_THAT(listed(run(service_.list(Status::refused, {.limit = 1, .cursor = refused.next_cursor}))),
                ElementsAre(ids[0]));
    EXPECT_EQ(failure_of(service_.list(Status::paid, {.cursor = refused.next_cursor})),
              "invalid_argument invalid_cursor cursor");
}

TEST_F(Payouts, ShowTheGiftsOfEachMonth) {
    const auto taken_back = bank_.give(ada_, bob_, 500, 100);
    bank_.book({.header = {.type = ledger::TransactionType::refund,
                           .sender = bob_,
                           .receiver = ada_,
                           .reverses = taken_back,
                           .amount = cents(500)},
                .postings = {{ledger::wallet_of(ada_), cents(500)},
                             {ledger::earnings_of(bob_), cents(-400)},
                             {{.kind = AccountKind::platform_revenue}, cents(-100)}}});
    const auto month = to_rfc3339(world_.clock.now()).substr(0, 7);
    world_.clock.advance(days(40));
    bank_.give(ada_, bob_, 300, 90);
    bank_.give(ada_, bob_, 200, 60);
    const auto months = run(service_.months(bob_));
    ASSERT_EQ(months.size(), 2U);
    EXPECT_EQ(months[0].gifts_count, 2);
    EXPECT_EQ(months[0].amount, cents(500));
    EXPECT_EQ(months[0].earned, cents(350));
    EXPECT_EQ(months[1].month, month);
    EXPECT_EQ(months[1].gifts_count, 1);
    EXPECT_EQ(months[1].earned, cents(7'000));
    EXPECT_THAT(run(service_.months(ada_)), IsEmpty());
}

TEST_F(Payouts, AreAskedForOverHttp) {
    add_routes(world_.router, service_);
    const auto session = world_.sign_in(bob_);
    EXPECT_EQ(world_.call(Method::get, "/api/v1/earnings").status, 401U);
    pass_holding();
    const auto post = [&](json::Value body, std::vector<std::pair<std::string, std::string>> headers) {
        return world_.call(Method::post, "/api/v1/earnings/payouts",
                           {.session = session, .json = std::move(body), .headers = std::move(headers)});
    };
    EXPECT_EQ(post({{"amount", 2'000}}, {}).problem(),
              "400 /problems/invalid_idempotency_key Idempotency-Key");
    EXPECT_EQ(post({{"amount", 20.5}}, {{"Idempotency-Key", "k"}}).status, 400U);
    EXPECT_EQ(post({{"amount", 9'000}}, {{"Idempotency-Key", "k"}}).problem(),
              "402 /problems/not_yet_available amount");
    const auto answer = post({{"amount", 2'000}}, {{"Idempotency-Key", "k"}});
    EXPECT_EQ(answer.status, 201U);
    EXPECT_EQ(answer.body.at("amount"), 2'000);
    EXPECT_EQ(answer.body.at("status"), "requested");
    EXPECT_EQ(post({{"amount", 2'000}}, {{"Idempotency-Key", "k"}}).body, answer.body);
    EXPECT_EQ(post({{"amount", 2'500}}, {{"Idempotency-Key", "k"}}).problem(),
              "422 /problems/idempotency_key_reused Idempotency-Key");
    const auto earnings = world_.call(Method::get, "/api/v1/earnings", {.session = session}).body;
    EXPECT_EQ(earnings.at("balance"), 5'000);
    EXPECT_EQ(earnings.at("holding_days"), 7);
    EXPECT_EQ(earnings.at("open_payout").at("id"), answer.body.at("id"));
    const auto list = world_.call(Method::get, "/api/v1/earnings/payouts", {.session = session}).body;
    EXPECT_EQ(list.at("items").as_array().size(), 1U);
    const auto months = world_.call(Method::get, "/api/v1/earnings/months", {.session = session}).body;
    EXPECT_EQ(months.at("items").at(0).at("earned"), 7'000);
}

}  // namespace
}  // namespace spaktok::payouts
