// Sending gifts: each is booked in one durable step, and many in one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/random.h"
#include "engines/relational/database.h"
#include "features/events/events.h"
#include "features/gifts/gift.h"
#include "features/idempotency/idempotency.h"
#include "features/ledger/ledger.h"

namespace spaktok::gifts {

// Who gets what is sent to a stream.
struct Recipient {
    UserId streamer;
    bool is_live = false;
};

// Thread-safe; what it refers to outlives it.
class Service {
  public:
    struct Options {
        relational::Database& database;
        ledger::Ledger& ledger;
        events::Dispatcher& events;
        const Clock& clock;
        Random& random;
        boost::asio::any_io_executor executor;  // where groups are committed
        // Throws Error{not_found}.
        std::function<boost::asio::awaitable<Recipient>(StreamId)> recipient;
        std::int64_t fee_basis_points = 3'000;
        Limits limits{};
    };
    explicit Service(Options options);
    ~Service();
    boost::asio::awaitable<void> stop();

    // In the order in which they are shown; from memory, at most two seconds old.
    boost::asio::awaitable<std::vector<Gift>> catalogue();
    // Of the catalogue, retired ones too. Throws Error{not_found, field "gift_id"}.
    boost::asio::awaitable<Gift> find(GiftId gift);
    struct NewGift {
        std::string name;
        Money price;
        std::string image_url;
        std::optional<std::string> animation{};
        std::int64_t sort_order = 0;
    };
    // Throws a field's error or {conflict "gift_name_taken"}.
    boost::asio::awaitable<Gift> add(NewGift gift);
    // Throws Error{not_found}.
    boost::asio::awaitable<void> set_active(GiftId gift, bool is_active);

    struct Sending {
        UserId sender;
        StreamId stream;
        GiftId gift;
        idempotency::Key key;
    };
    struct Sent {
        TransactionId transaction_id;
        Gift gift;
        Money balance;  // of the sender's wallet afterwards
        Timestamp created_at{};
    };
    // Returns once it is booked. A repetition is answered as the first time, whatever has changed since.
    // Throws, in this order: {not_found} (gift, stream), {conflict "gift_retired" | "stream_not_live" |
    // "cannot_gift_yourself" | "gift_too_large"}, {unprocessable "idempotency_key_reused"}, {conflict
    // "day_limit_reached"}, {insufficient_funds}, {unavailable}.
    boost::asio::awaitable<Sent> send(Sending sending);

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace spaktok::gifts
