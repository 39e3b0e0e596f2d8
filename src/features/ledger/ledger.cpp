#include "features/ledger/ledger.h"

#include <map>
#include <set>

#include "base/assert.h"
#include "features/events/events.h"
#include "features/ledger/ledger_store.h"

namespace spaktok::ledger {

namespace asio = boost::asio;
using relational::Transaction;

namespace {

// What is decided against: what the transaction has read and locked, and what was decided in it so far.
class Decisions {
  public:
    Decisions(const AccountIds& accounts, std::unordered_map<Uuid, Money> balances,
              std::map<std::size_t, idempotency::Stored> answers, std::map<UserId, Money> spent,
              Timestamp now)
        : accounts_(accounts),
          balances_(std::move(balances)),
          answers_(std::move(answers)),
          spent_(std::move(spent)),
          now_(now) {}

    // `place`: the movement's in the list whose keys were looked up.
    Outcome decide(std::size_t place, const Movement& movement, TransactionId id) {
        if (movement.key) {
            if (const auto stored = answers_.find(place); stored != answers_.end())
                return repetition_of(stored->second, *movement.key);
            // Twice in one batch.
            if (const auto booked = booked_keys_.find(name_of(*movement.key)); booked != booked_keys_.end())
                return repetition_of(booked->second, *movement.key);
        }
        if (movement.spending && !fits(movement)) return {.verdict = Verdict::over_limit};
        if (!can_pay(movement)) return {.verdict = Verdict::insufficient_funds};
        return book(movement, id);
    }

    const std::map<Uuid, Money>& changes() const { return changes_; }
    const std::map<UserId, Money>& newly_spent() const { return newly_spent_; }

  private:
    using KeyName = std::pair<UserId, std::string>;
    static KeyName name_of(const idempotency::Key& key) { return {key.user, key.text}; }

    static Outcome repetition_of(const idempotency::Stored& stored, const idempotency::Key& key) {
        if (stored.digest != key.digest) return {.verdict = Verdict::key_reused};
        return {.verdict = Verdict::repeated, .booked = json::from_value<Booked>(stored.answer)};
    }
    bool fits(const Movement& movement) const {
        const auto spent = spent_.find(movement.spending->user);
        const Money before = spent == spent_.end() ? Money{} : spent->second;
        return before + movement.header.amount <= movement.spending->of_day;
    }
    bool can_pay(const Movement& movement) const {
        for (const auto& posting : movement.postings) {
            const auto kind = posting.account.kind;
            const bool has_floor = kind == AccountKind::wallet ||
                                   (kind == AccountKind::earnings && !movement.may_overdraw_earnings);
            if (!has_floor || posting.amount > Money{}) continue;
            if (balances_.at(accounts_.at(posting.account)) + posting.amount < Money{}) return false;
        }
        return true;
    }
    Outcome book(const Movement& movement, TransactionId id) {
        for (const auto& posting : movement.postings) {
            const auto account = accounts_.at(posting.account);
            balances_.at(account) += posting.amount;
            changes_[account] += posting.amount;
        }
        if (movement.spending) {
            spent_[movement.spending->user] += movement.header.amount;
            newly_spent_[movement.spending->user] += movement.header.amount;
        }
        const Outcome outcome{
            .verdict = Verdict::booked,
            .booked = {.transaction_id = id,
                       .balance = balances_.at(accounts_.at(movement.postings.front().account)),
                       .created_at = now_}};
        if (movement.key) {
            booked_keys_.emplace(name_of(*movement.key),
                                 idempotency::Stored{.digest = movement.key->digest,
                                                     .answer = json::to_value(outcome.booked)});
        }
        return outcome;
    }

    const AccountIds& accounts_;
    std::unordered_map<Uuid, Money> balances_;
    std::map<std::size_t, idempotency::Stored> answers_;
    std::map<KeyName, idempotency::Stored> booked_keys_;
    std::map<UserId, Money> spent_;
    std::map<UserId, Money> newly_spent_;
    std::map<Uuid, Money> changes_;
    const Timestamp now_;
};

std::vector<idempotency::Key> keys_of(const std::vector<Movement>& movements) {
    std::vector<idempotency::Key> keys;
    for (const auto& movement : movements)
        if (movement.key) keys.push_back(*movement.key);
    return keys;
}

std::vector<UserId> spenders_among(const std::vector<Movement>& movements) {
    std::set<UserId> users;
    for (const auto& movement : movements)
        if (movement.spending) users.insert(movement.spending->user);
    return {users.begin(), users.end()};
}

// "2026-01-31"
std::string day_of(Timestamp at) {
    return to_rfc3339(at).substr(0, 10);
}

}  // namespace

struct Ledger::State {
    explicit State(Options given) : options(given), store(given.database) {}

    asio::awaitable<std::vector<Outcome>> book(Transaction& tx, const std::vector<Movement>& movements,
                                               const AccountIds& accounts, const Also& also);

    asio::awaitable<std::optional<Booked>> settle(Transaction& tx, const AccountIds& accounts,
                                                  const Decide& decide);

    Options options;
    LedgerStore store;
    events::IdSequence sequence;  // a person's history is in the order in which it was booked
};

// The accounts are locked before anything else is read: what follows sees all that was booked on them before,
// also requests with the same keys, as whoever repeats one pays from the same wallet.
asio::awaitable<std::vector<Outcome>> Ledger::State::book(Transaction& tx,
                                                          const std::vector<Movement>& movements,
                                                          const AccountIds& accounts, const Also& also) {
    auto balances = co_await LedgerStore::lock(tx, accounts);
    const auto ids = sequence.next(options.clock.now(), options.random, movements.size());
    const Timestamp now = ids.front().timestamp();
    const auto day = day_of(now);
    auto answers = co_await idempotency::find(tx, keys_of(movements), now);
    auto spent = co_await LedgerStore::spent(tx, spenders_among(movements), day);
    Decisions decisions(accounts, std::move(balances), std::move(answers), std::move(spent), now);

    std::vector<Outcome> outcomes;
    std::vector<Numbered> booked;
    std::vector<idempotency::Answered> answered;
    std::size_t keys = 0;
    for (std::size_t i = 0; i < movements.size(); ++i) {
        const auto& movement = movements[i];
        outcomes.push_back(decisions.decide(movement.key ? keys++ : 0, movement, TransactionId{ids[i]}));
        if (outcomes.back().verdict != Verdict::booked) continue;
        booked.push_back({.id = ids[i], .movement = &movement});
        if (movement.key)
            answered.push_back({.key = *movement.key, .answer = json::to_value(outcomes.back().booked)});
    }
    if (!booked.empty()) {
        co_await LedgerStore::insert(tx, std::move(booked), accounts, now, options.random);
        co_await LedgerStore::add(tx, decisions.changes(), now);
        co_await LedgerStore::add_spent(tx, decisions.newly_spent(), day, now);
        co_await idempotency::store(tx, std::move(answered), now);
    }
    if (also) co_await also(tx, movements, outcomes);
    co_return outcomes;
}

// The opened header is looked at with the accounts locked: of two that complete it, one books.
asio::awaitable<std::optional<Booked>> Ledger::State::settle(Transaction& tx, const AccountIds& accounts,
                                                             const Decide& decide) {
    auto balances = co_await LedgerStore::lock(tx, accounts);
    std::map<Account, Money> by_account;
    for (const auto& [account, id] : accounts)
        by_account[account] = balances.at(id);
    const auto settlement = co_await decide(tx, by_account);
    if (!settlement) co_return std::nullopt;
    const auto& movement = settlement->movement;
    check(movement);
    SPAKTOK_ASSERT(!movement.key && !movement.spending);
    const Uuid fresh = sequence.next(options.clock.now(), options.random);
    const Timestamp now = fresh.timestamp();
    const Uuid id = settlement->completes ? settlement->completes->value : fresh;
    const auto outcome =
        Decisions(accounts, std::move(balances), {}, {}, now).decide(0, movement, TransactionId{id});
    SPAKTOK_ASSERT(outcome.verdict == Verdict::booked);
    std::map<Uuid, Money> changes;
    for (const auto& posting : movement.postings)
        changes[accounts.at(posting.account)] = posting.amount;
    const Numbered numbered{.id = id, .movement = &movement};
    if (!settlement->completes) {
        co_await LedgerStore::insert(tx, {numbered}, accounts, now, options.random);
    } else if (!co_await LedgerStore::complete(tx, numbered, accounts, now, options.random)) {
        co_return std::nullopt;
    }
    co_await LedgerStore::add(tx, std::move(changes), now);
    co_return outcome.booked;
}

Ledger::Ledger(Options options) : state_(std::make_unique<State>(options)) {}
Ledger::~Ledger() = default;

asio::awaitable<std::vector<Outcome>> Ledger::book(std::vector<Movement> movements, Also also) {
    SPAKTOK_ASSERT(!movements.empty());
    std::vector<Account> wanted;
    for (const auto& movement : movements) {
        check(movement);
        for (const auto& posting : movement.postings)
            wanted.push_back(posting.account);
    }
    const auto accounts = co_await state_->store.find_accounts(std::move(wanted), state_->options.clock.now(),
                                                               state_->options.random);
    // Shared: the body may run again, and on another thread.
    const auto work = std::make_shared<const std::vector<Movement>>(std::move(movements));
    co_return co_await state_->options.database.transaction(
        [state = state_.get(), work, accounts, also](Transaction& tx) {
            return state->book(tx, *work, accounts, also);
        });
}

TransactionId Ledger::next_id() {
    return TransactionId{state_->sequence.next(state_->options.clock.now(), state_->options.random)};
}

asio::awaitable<void> Ledger::open(TransactionId id, Header header, With with) {
    SPAKTOK_ASSERT(header.amount > Money{} && header.amount <= amount_max);
    const auto movement = std::make_shared<Movement>();
    movement->header = std::move(header);
    co_await state_->options.database.transaction([id, movement,
                                                   with](Transaction& tx) -> asio::awaitable<void> {
        co_await LedgerStore::open(tx, {.id = id.value, .movement = movement.get()}, id.value.timestamp());
        if (with) co_await with(tx);
    });
}

asio::awaitable<void> Ledger::fail(Transaction& tx, TransactionId id, Timestamp now) {
    return LedgerStore::fail(tx, id, now);
}

asio::awaitable<std::optional<Booked>> Ledger::settle(std::vector<Account> wanted, Decide decide) {
    const auto accounts = co_await state_->store.find_accounts(std::move(wanted), state_->options.clock.now(),
                                                               state_->options.random);
    co_return co_await state_->options.database.transaction(
        [state = state_.get(), accounts, decide](Transaction& tx) {
            return state->settle(tx, accounts, decide);
        });
}

asio::awaitable<Money> Ledger::balance(Account account) {
    return state_->store.balance(account);
}

}  // namespace spaktok::ledger
