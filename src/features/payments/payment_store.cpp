#include "features/payments/payment_store.h"

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>

#include "base/assert.h"

namespace spaktok::payments {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;
using relational::Transaction;

namespace {

constexpr Statement insert_intent{
    .name = "payment_intents_insert",
    .sql =
        "INSERT INTO payment_intents (id, provider, provider_ref, user_id, transaction_id, status, "
        "checkout_url, created_at, updated_at) VALUES ($1, $2, $3, $4, $1, 'pending', $5, $6, $6)",
    .mode = Mode::write};
constexpr Statement select_intent{
    .name = "payment_intents_find",
    .sql =
        "SELECT p.id, p.provider, p.user_id, p.status, p.checkout_url, p.taken_back_minor, "
        "p.closed_dispute_ref, p.created_at, t.amount, t.currency, t.exchange_rate, t.paid_minor "
        "FROM payment_intents p JOIN transactions t ON t.id = p.transaction_id WHERE p.id = $1",
    .postgres_sql =
        "SELECT p.id, p.provider, p.user_id, p.status, p.checkout_url, p.taken_back_minor, "
        "p.closed_dispute_ref, p.created_at, t.amount, t.currency, "
        "CAST(t.exchange_rate * 10000 AS BIGINT) AS exchange_rate, t.paid_minor "
        "FROM payment_intents p JOIN transactions t ON t.id = p.transaction_id WHERE p.id = $1",
    .mode = Mode::point_read};
constexpr Statement select_by_checkout{
    .name = "payment_intents_by_provider_ref",
    .sql = "SELECT id, user_id FROM payment_intents WHERE provider = $1 AND provider_ref = $2",
    .mode = Mode::point_read};
constexpr Statement select_by_payment{
    .name = "payment_intents_by_payment_ref",
    .sql = "SELECT id, user_id FROM payment_intents WHERE provider = $1 AND payment_ref = $2",
    .mode = Mode::point_read};
constexpr Statement select_by_id{
    .name = "payment_intents_by_id",
    .sql = "SELECT id, user_id FROM payment_intents WHERE provider = $1 AND id = $2",
    .mode = Mode::point_read};
constexpr Statement update_intent{
    .name = "payment_intents_update",
    .sql =
        "UPDATE payment_intents SET status = $1, taken_back_minor = $2, payment_ref = COALESCE($3, "
        "payment_ref), "
        "closed_dispute_ref = COALESCE($4, closed_dispute_ref), updated_at = $5 WHERE id = $6",
    .mode = Mode::write};

std::optional<Payment> payment_of(const relational::Result& rows) {
    if (rows.empty()) return std::nullopt;
    const auto row = rows[0];
    Payment payment{.top_up = {.id = row.get<TransactionId>("id"),
                               .amount = row.get<Money>("amount"),
                               .currency = row.get<std::string>("currency"),
                               .exchange_rate = row.get<std::int64_t>("exchange_rate"),
                               .paid_minor = row.get<std::optional<std::int64_t>>("paid_minor").value_or(0),
                               .provider = row.get<std::string>("provider"),
                               .created_at = row.get<Timestamp>("created_at")},
                    .user = row.get<UserId>("user_id"),
                    .taken_back = Money::from_minor(row.get<std::int64_t>("taken_back_minor")),
                    .closed_dispute_ref = row.get<std::optional<std::string>>("closed_dispute_ref")};
    SPAKTOK_ASSERT(
        boost::describe::enum_from_string(row.get<std::string>("status").c_str(), payment.top_up.status));
    if (payment.top_up.status == Status::pending)
        payment.top_up.checkout_url = row.get<std::optional<std::string>>("checkout_url");
    return payment;
}

std::optional<PaymentStore::Known> known_of(const relational::Result& rows) {
    if (rows.empty()) return std::nullopt;
    return PaymentStore::Known{.id = rows[0].get<TransactionId>("id"),
                               .user = rows[0].get<UserId>("user_id")};
}

}  // namespace

asio::awaitable<void> PaymentStore::insert(Transaction& tx, Row row) {
    co_await tx.query(insert_intent, row.id, row.provider, row.checkout.provider_ref, row.user,
                      row.checkout.url, row.id.value.timestamp());
}

asio::awaitable<std::optional<Payment>> PaymentStore::find(TransactionId id) {
    co_return payment_of(co_await database_.query(select_intent, id));
}

asio::awaitable<std::optional<Payment>> PaymentStore::find(Transaction& tx, TransactionId id) {
    co_return payment_of(co_await tx.query(select_intent, id));
}

asio::awaitable<std::optional<PaymentStore::Known>> PaymentStore::find(std::string provider,
                                                                       PaymentEvent event) {
    std::optional<Known> known;
    if (!event.provider_ref.empty())
        known = known_of(co_await database_.query(select_by_checkout, provider, event.provider_ref));
    if (!known && !event.payment_ref.empty())
        known = known_of(co_await database_.query(select_by_payment, provider, event.payment_ref));
    if (!known && event.top_up)
        known = known_of(co_await database_.query(select_by_id, provider, *event.top_up));
    co_return known;
}

asio::awaitable<void> PaymentStore::update(Transaction& tx, Change change, Timestamp now) {
    co_await tx.query(update_intent, boost::describe::enum_to_string(change.status, ""),
                      change.taken_back.minor(), change.payment_ref, change.closed_dispute_ref, now,
                      change.id);
}

}  // namespace spaktok::payments
