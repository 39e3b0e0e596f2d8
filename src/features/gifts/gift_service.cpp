#include "features/gifts/gift_service.h"

#include <algorithm>
#include <exception>
#include <map>

#include "base/log.h"
#include "base/text.h"
#include "engines/batcher.h"
#include "features/cache/expiring_cache.h"
#include "features/gifts/gift_store.h"

namespace spaktok::gifts {

namespace asio = boost::asio;
using ledger::Movement;
using ledger::Outcome;
using ledger::Verdict;

namespace {

constexpr std::string_view catalogue_key = "gifts";
constexpr std::size_t image_url_bytes_max = 2'048;

// One event for what a group sent to one stream.
events::Event event_of(StreamId stream, json::Array gifts, Timestamp now, Random& random) {
    return {.id = events::next_id(now, random),
            .aggregate_type = "stream_gifts",
            .aggregate_id = stream.to_string(),
            .type = "gifts.sent",
            .payload = {{"stream_id", stream.to_string()}, {"gifts", std::move(gifts)}}};
}

json::Object told(const ledger::Header& header, const ledger::Booked& booked) {
    return {{"transaction_id", booked.transaction_id.to_string()},
            {"gift_id", header.gift->to_string()},
            {"sender_id", header.sender->to_string()},
            {"receiver_id", header.receiver->to_string()},
            {"amount", header.amount.minor()},
            {"created_at", to_rfc3339(booked.created_at)}};
}

void check_sendable(const Gift& gift, const Recipient& recipient, UserId sender, const Limits& limits) {
    const auto refuse = [](const char* message, const char* reason) {
        throw Error(ErrorCode::conflict, message, {.reason = reason});
    };
    if (!gift.is_active) refuse("This gift is no longer given.", "gift_retired");
    if (!recipient.is_live) refuse("This stream is not live.", "stream_not_live");
    if (recipient.streamer == sender) refuse("You cannot send a gift to yourself.", "cannot_gift_yourself");
    if (gift.price > limits.of_gift) refuse("This gift is larger than gifts may be here.", "gift_too_large");
}

// Of the group's members, where the group was refused as a whole.
struct Settled {
    Outcome outcome{};
    std::exception_ptr failure{};
};

}  // namespace

struct Service::State {
    using Queue = engines::Batcher<Movement, Settled>;
    using Catalogue = std::shared_ptr<const std::vector<Gift>>;

    explicit State(Options given)
        : options(std::move(given)),
          store(options.database),
          gifts(options.clock, {.life = std::chrono::seconds(2)}),
          queue(options.executor, {.name = "gifts", .queue_items_max = 10'000, .batch_items_max = 512},
                [this](std::vector<Movement> movements) { return commit(std::move(movements)); }) {}

    asio::awaitable<Catalogue> catalogue() {
        if (auto hit = gifts.get(catalogue_key)) co_return std::move(*hit);
        const auto ticket = gifts.ticket(catalogue_key);
        const auto read = std::make_shared<const std::vector<Gift>>(co_await store.all());
        gifts.put(catalogue_key, read, ticket);
        co_return read;
    }
    asio::awaitable<Gift> find(GiftId id) {
        const auto all = co_await catalogue();
        const auto found = std::ranges::find(*all, id, &Gift::id);
        if (found == all->end())
            throw Error(ErrorCode::not_found, "There is no such gift.", {.field = "gift_id"});
        co_return *found;
    }

    Movement movement_of(const Sending& sending, const Gift& gift, UserId streamer) const {
        const auto [fee, payout] = split(gift.price, options.fee_basis_points);
        Movement movement{.header = {.type = ledger::TransactionType::gift_sent,
                                     .sender = sending.sender,
                                     .receiver = streamer,
                                     .gift = gift.id,
                                     .stream = sending.stream,
                                     .amount = gift.price,
                                     .platform_fee = fee,
                                     .streamer_payout = payout},
                          .postings = {{ledger::wallet_of(sending.sender), -gift.price}},
                          .key = sending.key,
                          .spending = ledger::SpendingLimit{
                              .user = sending.sender,
                              .of_day = day_limit(options.limits, sending.sender, options.clock.now())}};
        if (payout != Money{}) movement.postings.push_back({ledger::earnings_of(streamer), payout});
        if (fee != Money{})
            movement.postings.push_back({{.kind = ledger::AccountKind::platform_revenue}, fee});
        return movement;
    }

    asio::awaitable<std::vector<Outcome>> book(std::vector<Movement> movements) {
        return options.ledger.book(
            std::move(movements),
            [this](relational::Transaction& tx, const std::vector<Movement>& group,
                   const std::vector<Outcome>& outcomes) { return announce(tx, group, outcomes); });
    }

    asio::awaitable<void> announce(relational::Transaction& tx, const std::vector<Movement>& group,
                                   const std::vector<Outcome>& outcomes) {
        std::map<StreamId, json::Array> by_stream;
        for (std::size_t i = 0; i < group.size(); ++i) {
            if (outcomes[i].verdict != Verdict::booked) continue;
            by_stream[*group[i].header.stream].push_back(told(group[i].header, outcomes[i].booked));
        }
        std::vector<events::Event> told_of;
        told_of.reserve(by_stream.size());
        for (auto& [stream, sent] : by_stream)
            told_of.push_back(event_of(stream, std::move(sent), options.clock.now(), options.random));
        co_await events::append(tx, std::move(told_of));
    }

    // A member that the database refuses (its stream was deleted a moment ago) must not refuse the others.
    asio::awaitable<std::vector<Settled>> commit(std::vector<Movement> movements) {
        std::vector<Settled> settled;
        bool was_refused = false;
        try {
            for (const auto& outcome : co_await book(movements))
                settled.push_back({.outcome = outcome});
        } catch (const relational::ConstraintViolation&) {
            was_refused = true;
        }
        if (was_refused) settled = co_await commit_one_by_one(std::move(movements));
        options.events.poke();
        co_return settled;
    }
    asio::awaitable<std::vector<Settled>> commit_one_by_one(std::vector<Movement> movements) {
        std::vector<Settled> settled;
        for (auto& movement : movements) {
            std::vector<Movement> one;
            one.push_back(std::move(movement));
            try {
                const auto outcomes = co_await book(std::move(one));
                settled.push_back({.outcome = outcomes.front()});
            } catch (const relational::ConstraintViolation&) {
                settled.push_back({.outcome = {},
                                   .failure = std::make_exception_ptr(Error(
                                       ErrorCode::not_found, "The stream or one of the accounts is gone."))});
            } catch (const Error&) {
                settled.push_back({.outcome = {}, .failure = std::current_exception()});
            }
        }
        co_return settled;
    }

    Options options;
    GiftStore store;
    cache::ExpiringCache<std::string_view, Catalogue> gifts;
    Queue queue;
};

Service::Service(Options options) : state_(std::make_shared<State>(std::move(options))) {}
Service::~Service() = default;

asio::awaitable<void> Service::stop() {
    return state_->queue.stop();
}

asio::awaitable<std::vector<Gift>> Service::catalogue() {
    co_return *co_await state_->catalogue();
}

asio::awaitable<Gift> Service::find(GiftId gift) {
    return state_->find(gift);
}

asio::awaitable<Gift> Service::add(NewGift given) {
    const auto now = state_->options.clock.now();
    Gift gift{.id = GiftId::make(now, state_->options.random),
              .name = text::checked(given.name, "name", {.length_min = 1, .length_max = name_length_max}),
              .price = given.price,
              .image_url = std::move(given.image_url),
              .animation = std::move(given.animation),
              .sort_order = given.sort_order};
    const auto refuse = [](const char* field, const char* message) {
        throw Error(ErrorCode::invalid_argument, message, {.field = field, .reason = "invalid_field"});
    };
    if (gift.price <= Money{} || gift.price > ledger::amount_max)
        refuse("price", "The price must be from 0.01 to 99,999,999.99 USD.");
    if (gift.image_url.empty() || gift.image_url.size() > image_url_bytes_max)
        refuse("image_url", "This must be a path or an address of at most 2,048 bytes.");
    if (gift.animation)
        gift.animation = text::checked(*gift.animation, "animation", {.length_max = animation_length_max});
    co_await state_->store.insert(gift, now);
    state_->gifts.drop(catalogue_key);
    co_return gift;
}

asio::awaitable<void> Service::set_active(GiftId gift, bool is_active) {
    if (!co_await state_->store.set_active(gift, is_active, state_->options.clock.now()))
        throw Error(ErrorCode::not_found, "There is no such gift.");
    state_->gifts.drop(catalogue_key);
}

asio::awaitable<Service::Sent> Service::send(Sending sending) {
    const auto gift = co_await state_->find(sending.gift);
    const auto answer = [&gift](const ledger::Booked& booked) {
        return Sent{.transaction_id = booked.transaction_id,
                    .gift = gift,
                    .balance = booked.balance,
                    .created_at = booked.created_at};
    };
    std::optional<Recipient> recipient;
    std::exception_ptr refusal;
    try {
        recipient = co_await state_->options.recipient(sending.stream);
        check_sendable(gift, *recipient, sending.sender, state_->options.limits);
    } catch (const Error&) {
        refusal = std::current_exception();
    }
    if (refusal) {
        // What was sent before the stream ended is answered afterwards too.
        const auto stored =
            co_await idempotency::find(state_->options.database, sending.key, state_->options.clock.now());
        if (stored && stored->digest == sending.key.digest)
            co_return answer(json::from_value<ledger::Booked>(stored->answer));
        std::rethrow_exception(refusal);
    }
    const auto settled =
        co_await state_->queue.submit(state_->movement_of(sending, gift, recipient->streamer));
    if (settled.failure) std::rethrow_exception(settled.failure);
    switch (settled.outcome.verdict) {
        case Verdict::booked:
        case Verdict::repeated:
            co_return answer(settled.outcome.booked);
        case Verdict::key_reused:
            throw idempotency::key_reused();
        case Verdict::over_limit:
            throw Error(ErrorCode::conflict, "That would be more than you may spend on gifts in a day.",
                        {.reason = "day_limit_reached"});
        case Verdict::insufficient_funds:
            break;
    }
    throw Error(ErrorCode::insufficient_funds, "There is not enough money in your wallet.");
}

}  // namespace spaktok::gifts
