#include "features/payments/payment_service.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "features/payments/currency.h"
#include "features/payments/sandbox.h"

namespace spaktok::payments {

namespace asio = boost::asio;
using ledger::Account;
using ledger::AccountKind;
using ledger::Ledger;
using ledger::Movement;
using relational::Transaction;
using Kind = PaymentEvent::Kind;
using Balances = std::map<Account, Money>;

namespace {

const Account clearing{.kind = AccountKind::payment_clearing};
const Account revenue{.kind = AccountKind::platform_revenue};

struct Stored {
    TransactionId id;
};
BOOST_DESCRIBE_STRUCT(Stored, (), (id))

Error mismatch(const Payment& payment, const PaymentEvent& event) {
    const auto detail =
        fmt::format("top-up {}: {} {} instead of {} {}", payment.top_up.id.to_string(), event.paid_minor,
                    event.currency, payment.top_up.paid_minor, payment.top_up.currency);
    log::error("a payment does not match its top-up", {{"detail", detail}});
    return Error(ErrorCode::conflict, "Another sum was paid than was asked for.",
                 {.reason = "payment_mismatch", .detail = detail});
}

void check_sum(const Payment& payment, const PaymentEvent& event) {
    if (event.currency != payment.top_up.currency || event.paid_minor != payment.top_up.paid_minor)
        throw mismatch(payment, event);
}

ledger::Header header_of(const Payment& payment) {
    return {.type = ledger::TransactionType::top_up,
            .receiver = payment.user,
            .amount = payment.top_up.amount,
            .currency = payment.top_up.currency,
            .exchange_rate = payment.top_up.exchange_rate,
            .paid_minor = payment.top_up.paid_minor};
}

// How much of the top-up the refunds so far are.
Money refunded_of(const Payment& payment, const PaymentEvent& event) {
    check_sum(payment, event);
    if (event.refunded_minor < 0 || event.refunded_minor > event.paid_minor || event.paid_minor == 0)
        throw mismatch(payment, event);
    return Money::from_minor(
        divide_half_even(payment.top_up.amount.minor() * event.refunded_minor, event.paid_minor));
}

// Runs in the ledger's transaction, with the accounts locked.
struct Decision {
    Transaction& tx;
    const Balances& balances;
    Payment payment;
    PaymentEvent event;
    Timestamp now;

    Status status() const { return payment.top_up.status; }
    PaymentStore::Change change(Status to) const {
        return {.id = payment.top_up.id, .status = to, .taken_back = payment.taken_back};
    }
};
using Settlement = std::optional<Ledger::Settlement>;

// A failed one too: the provider has the money.
asio::awaitable<Settlement> complete(Decision decision) {
    const auto& payment = decision.payment;
    if (decision.status() != Status::pending && decision.status() != Status::failed) co_return std::nullopt;
    check_sum(payment, decision.event);
    auto change = decision.change(Status::completed);
    if (!decision.event.payment_ref.empty()) change.payment_ref = decision.event.payment_ref;
    co_await PaymentStore::update(decision.tx, std::move(change), decision.now);
    const auto amount = payment.top_up.amount;
    co_return Ledger::Settlement{
        .movement = {.header = header_of(payment),
                     .postings = {{ledger::wallet_of(payment.user), amount}, {clearing, -amount}}},
        .completes = payment.top_up.id};
}

asio::awaitable<void> fail(Decision decision) {
    if (decision.status() != Status::pending) co_return;
    co_await PaymentStore::update(decision.tx, decision.change(Status::failed), decision.now);
    co_await Ledger::fail(decision.tx, decision.payment.top_up.id, decision.now);
}

// Up to `total` of the top-up, refunds before included. What the wallet no longer has is the platform's loss.
asio::awaitable<Settlement> take_back(Decision decision, Money total) {
    const auto& payment = decision.payment;
    const auto rest = total - payment.taken_back;
    const bool is_whole = total == payment.top_up.amount;
    auto change = decision.change(is_whole ? Status::refunded : decision.status());
    change.taken_back = std::max(total, payment.taken_back);
    if (decision.event.kind == Kind::dispute_lost) change.closed_dispute_ref = decision.event.dispute_ref;
    if (rest <= Money{}) {
        if (decision.event.kind == Kind::dispute_lost)
            co_await PaymentStore::update(decision.tx, std::move(change), decision.now);
        co_return std::nullopt;
    }
    co_await PaymentStore::update(decision.tx, std::move(change), decision.now);
    const auto wallet = ledger::wallet_of(payment.user);
    const auto from_wallet = std::min(rest, decision.balances.at(wallet));
    Movement movement{.header = {.type = ledger::TransactionType::refund,
                                 .sender = payment.user,
                                 .amount = rest,
                                 .currency = payment.top_up.currency,
                                 .exchange_rate = payment.top_up.exchange_rate},
                      .postings = {{clearing, rest}}};
    if (rest == payment.top_up.amount) movement.header.reverses = payment.top_up.id;
    if (from_wallet > Money{}) movement.postings.push_back({wallet, -from_wallet});
    if (from_wallet < rest) movement.postings.push_back({revenue, from_wallet - rest});
    co_return Ledger::Settlement{.movement = std::move(movement)};
}

void check_paid(const Decision& decision) {
    if (decision.status() != Status::pending && decision.status() != Status::failed) return;
    throw Error(ErrorCode::conflict, "This payment is not known to be paid yet. Send it again later.",
                {.reason = "payment_pending"});
}

// One that was closed already is told of late.
asio::awaitable<void> open_dispute(Decision decision) {
    const bool was_closed = decision.payment.closed_dispute_ref == decision.event.dispute_ref;
    if (decision.status() != Status::completed || was_closed) co_return;
    co_await PaymentStore::update(decision.tx, decision.change(Status::disputed), decision.now);
}

asio::awaitable<void> win_dispute(Decision decision) {
    const bool was_open = decision.status() == Status::disputed;
    auto change = decision.change(was_open ? Status::completed : decision.status());
    change.closed_dispute_ref = decision.event.dispute_ref;
    co_await PaymentStore::update(decision.tx, std::move(change), decision.now);
}

asio::awaitable<Settlement> decide(Transaction& tx, const Balances& balances, TransactionId id,
                                   PaymentEvent event, Timestamp now) {
    auto payment = co_await PaymentStore::find(tx, id);
    SPAKTOK_ASSERT(payment.has_value());
    Decision decision{.tx = tx, .balances = balances, .payment = *payment, .event = event, .now = now};
    switch (event.kind) {
        case Kind::paid:
            co_return co_await complete(decision);
        case Kind::failed:
            co_await fail(decision);
            break;
        case Kind::refunded:
            check_paid(decision);
            co_return co_await take_back(decision, refunded_of(*payment, event));
        case Kind::dispute_opened:
            co_await open_dispute(decision);
            break;
        case Kind::dispute_lost:
            check_paid(decision);
            co_return co_await take_back(decision, payment->top_up.amount);
        case Kind::dispute_won:
            co_await win_dispute(decision);
            break;
        case Kind::unknown:
            break;
    }
    co_return std::nullopt;
}

}  // namespace

Service::Service(Options options) : options_(std::move(options)), store_(options_.database) {
    SPAKTOK_ASSERT(options_.amount_min > Money{} && options_.amount_min <= options_.amount_max &&
                   options_.amount_max <= top_up_amount_max);
}

std::optional<std::string> Service::provider_name() const {
    if (!options_.provider) return std::nullopt;
    return std::string(options_.provider->name());
}

asio::awaitable<std::vector<CurrencyChoice>> Service::currencies() {
    return options_.rates.choices();
}

asio::awaitable<CurrencyChoice> Service::choice(std::string currency) {
    const auto choices = co_await options_.rates.choices();
    const auto found = std::ranges::find(choices, currency, &CurrencyChoice::currency);
    if (found == choices.end())
        throw Error(ErrorCode::invalid_argument, "This currency is not on offer.",
                    {.field = "currency", .reason = "currency_not_offered"});
    co_return *found;
}

asio::awaitable<Checkout> Service::checkout(CheckoutRequest request) {
    constexpr std::size_t ref_bytes_max = 255;
    constexpr std::size_t url_bytes_max = 2'048;
    std::string detail;
    try {
        auto checkout = co_await options_.provider->start(std::move(request));
        if (checkout.provider_ref.size() <= ref_bytes_max && checkout.url.size() <= url_bytes_max)
            co_return checkout;
        detail = "the provider's name or address of the checkout is too long";
    } catch (const Error& error) {
        detail = error.detail();
    }
    log::warning("no checkout", {{"detail", detail}});
    throw Error(
        ErrorCode::unavailable, "Payments are not available at the moment. Nothing was charged.",
        {.reason = "payment_provider_unavailable", .detail = detail, .retry_after = std::chrono::seconds(5)});
}

// The provider is asked first: a checkout that is not stored was shown to nobody, so nobody pays it.
asio::awaitable<TopUp> Service::start(NewTopUp wanted) {
    const auto now = options_.clock.now();
    if (const auto stored = co_await idempotency::find(options_.database, wanted.key, now)) {
        if (stored->digest != wanted.key.digest) throw idempotency::key_reused();
        co_return co_await find(wanted.user, json::from_value<Stored>(stored->answer).id);
    }
    if (!options_.provider)
        throw Error(ErrorCode::conflict, "Wallets cannot be topped up here.", {.reason = "top_ups_off"});
    if (wanted.amount < options_.amount_min || wanted.amount > options_.amount_max)
        throw Error(ErrorCode::invalid_argument,
                    fmt::format("The amount must be from {} to {} USD.", options_.amount_min.to_string(),
                                options_.amount_max.to_string()),
                    {.field = "amount", .reason = "amount_out_of_range"});
    const auto paid_in = co_await choice(wanted.currency);
    const auto minor = minor_of(wanted.amount, paid_in.exchange_rate, paid_in.decimals);
    if (minor == 0)
        throw Error(ErrorCode::invalid_argument, "This amount is less than the currency's smallest coin.",
                    {.field = "amount", .reason = "amount_out_of_range"});
    const auto id = options_.ledger.next_id();
    auto opened = co_await checkout(
        {.top_up = id, .amount = wanted.amount, .currency = paid_in.currency, .paid_minor = minor});
    const PaymentStore::Row row{.id = id,
                                .user = wanted.user,
                                .provider = std::string(options_.provider->name()),
                                .checkout = std::move(opened)};
    const auto write = [](Transaction& tx, PaymentStore::Row intent, idempotency::Key key,
                          Timestamp at) -> asio::awaitable<void> {
        const auto answer = json::to_value(Stored{intent.id});
        co_await PaymentStore::insert(tx, std::move(intent));
        std::vector<idempotency::Answered> answered;
        answered.push_back({.key = std::move(key), .answer = answer});
        co_await idempotency::store(tx, std::move(answered), at);
    };
    co_await options_.ledger.open(
        id,
        {.type = ledger::TransactionType::top_up,
         .receiver = wanted.user,
         .amount = wanted.amount,
         .currency = paid_in.currency,
         .exchange_rate = paid_in.exchange_rate,
         .paid_minor = minor},
        [write, row, key = wanted.key, now](Transaction& tx) { return write(tx, row, key, now); });
    co_return co_await find(wanted.user, id);
}

asio::awaitable<TopUp> Service::find(UserId user, TransactionId id) {
    const auto payment = co_await store_.find(id);
    if (!payment || payment->user != user) throw Error(ErrorCode::not_found, "There is no such top-up.");
    co_return payment->top_up;
}

asio::awaitable<void> Service::receive(std::string provider, std::string signature, std::string body) {
    if (!options_.provider || options_.provider->name() != provider)
        throw Error(ErrorCode::not_found, "This place takes no payments by this provider.");
    auto event = options_.provider->parse({.signature = signature, .body = body}, options_.clock.now());
    if (event.kind != Kind::unknown) co_await apply(std::move(provider), std::move(event));
}

asio::awaitable<void> Service::apply(std::string provider, PaymentEvent event) {
    const auto known = co_await store_.find(provider, event);
    if (!known) {
        log::warning(
            "a payment's event is of no top-up here",
            {{"provider", provider}, {"checkout", event.provider_ref}, {"payment", event.payment_ref}});
        co_return;
    }
    const auto now = options_.clock.now();
    co_await options_.ledger.settle({ledger::wallet_of(known->user), clearing, revenue},
                                    [id = known->id, event, now](Transaction& tx, const Balances& balances) {
                                        return decide(tx, balances, id, event, now);
                                    });
}

asio::awaitable<TopUp> Service::end_sandbox(UserId user, TransactionId id, SandboxOutcome outcome) {
    const bool has_sandbox = options_.provider && options_.provider->name() == sandbox_name;
    const auto payment = has_sandbox ? co_await store_.find(id) : std::nullopt;
    if (!payment || payment->user != user || payment->top_up.provider != sandbox_name)
        throw Error(ErrorCode::not_found, "There is no such top-up.");
    if (payment->top_up.status != Status::pending)
        throw Error(ErrorCode::conflict, "This top-up has ended.", {.reason = "top_up_ended"});
    co_await apply(std::string(sandbox_name),
                   {.kind = outcome == SandboxOutcome::paid ? Kind::paid : Kind::failed,
                    .top_up = id,
                    .currency = payment->top_up.currency,
                    .paid_minor = payment->top_up.paid_minor});
    co_return co_await find(user, id);
}

}  // namespace spaktok::payments
