#include "features/gifts/gift_events.h"

#include <algorithm>
#include <vector>

namespace spaktok::gifts {

namespace asio = boost::asio;

namespace {

// Of the payload of `gifts.sent`.
struct Told {
    TransactionId transaction_id;
    GiftId gift_id;
    UserId sender_id;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(Told, (), (transaction_id, gift_id, sender_id, created_at))

// Equal gifts of one sender; `transaction_id` is the first one's, and tells a repeated event apart.
struct GiftSent {
    TransactionId transaction_id;
    accounts::UserSummary sender;
    Gift gift;
    Money amount;  // of each
    std::int64_t count = 0;
    Money total;
    Timestamp created_at{};
};
BOOST_DESCRIBE_STRUCT(GiftSent, (), (transaction_id, sender, gift, amount, count, total, created_at))

class Announcer {
  public:
    Announcer(Service& gifts, chat::Service& chat, accounts::Service& accounts, Publish publish)
        : gifts_(gifts), chat_(chat), accounts_(accounts), publish_(std::move(publish)) {}

    asio::awaitable<void> announce(const events::Event& event) {
        const auto stream = json::from_value<StreamId>(event.payload.at("stream_id"));
        const auto told = json::from_value<std::vector<Told>>(event.payload.at("gifts"));
        co_await publish_all(stream, told);
        co_await post_all(stream, told);
    }

  private:
    asio::awaitable<void> publish_all(StreamId stream, const std::vector<Told>& told) {
        std::vector<UserId> senders;
        senders.reserve(told.size());
        for (const auto& one : told)
            senders.push_back(one.sender_id);
        const auto summaries = co_await accounts_.summaries(std::move(senders));
        std::vector<GiftSent> sent;
        for (const auto& one : told) {
            const auto summary = summaries.find(one.sender_id);
            if (summary == summaries.end()) continue;  // the account is gone
            const auto same = std::ranges::find_if(sent, [&](const GiftSent& other) {
                return other.sender.id == one.sender_id && other.gift.id == one.gift_id;
            });
            if (same != sent.end()) {
                ++same->count;
                same->total += same->amount;
                continue;
            }
            const auto gift = co_await gifts_.find(one.gift_id);
            sent.push_back({.transaction_id = one.transaction_id,
                            .sender = summary->second,
                            .gift = gift,
                            .amount = gift.price,
                            .count = 1,
                            .total = gift.price,
                            .created_at = one.created_at});
        }
        for (const auto& one : sent)
            co_await publish_("stream:" + stream.to_string(), "gift.sent", json::to_value(one));
    }

    asio::awaitable<void> post_all(StreamId stream, const std::vector<Told>& told) {
        std::vector<chat::Service::Notice> notices;
        notices.reserve(told.size());
        for (const auto& one : told) {
            notices.push_back({.sender = one.sender_id,
                               .client_id = one.transaction_id.value,
                               .message_type = "gift",
                               .content = one.gift_id.to_string()});
        }
        try {
            co_await chat_.post(RoomId{stream.value}, std::move(notices));
        } catch (const Error& error) {
            if (error.code() != ErrorCode::not_found) throw;  // the stream was deleted, and its room with it
        }
    }

    Service& gifts_;
    chat::Service& chat_;
    accounts::Service& accounts_;
    Publish publish_;
};

}  // namespace

void announce_gifts(events::Dispatcher& events, Service& gifts, chat::Service& chat,
                    accounts::Service& accounts, Publish publish) {
    const auto announcer = std::make_shared<Announcer>(gifts, chat, accounts, std::move(publish));
    events.subscribe("gifts.sent",
                     [announcer](const events::Event& event) { return announcer->announce(event); });
}

}  // namespace spaktok::gifts
