// Fills a place with the demo's people, whom they follow, what they announced and what they said. Repeated
// on the same place, it adds only what is missing.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "app/demo/people.h"
#include "app/demo/script.h"
#include "base/clock.h"
#include "base/random.h"
#include "features/accounts/account_service.h"
#include "features/chat/chat_service.h"
#include "features/graph/graph_service.h"
#include "features/ledger/ledger.h"
#include "features/streams/stream_service.h"

namespace spaktok::demo {

struct Services {
    accounts::Service& accounts;
    graph::Service& graph;
    streams::Service& streams;
    chat::Service& chat;
    ledger::Ledger& ledger;
    const Clock& clock;
    Random& random;
};

struct Resident {
    UserId id;
    std::string password;  // works until the next start
    bool has_picture = false;
};

// Lives on one I/O thread: two of its coroutines may run at once, interleaved.
class Seed {
  public:
    explicit Seed(Services services) : services_(services) {}

    // Throws Error{conflict} where people live here that the demo did not bring: it would fill a real place
    // with invented ones. Call first.
    boost::asio::awaitable<void> look_around();
    // Accounts, profiles, and play money in empty wallets.
    boost::asio::awaitable<void> settle(std::span<const Person> newcomers);
    // Pictures of those who have settled without one, until `stopping`. One that cannot be made is logged,
    // and made at the next start.
    boost::asio::awaitable<void> portray(std::span<const Person> settled, const std::atomic<bool>& stopping);
    // The stream that the host's publish goes to.
    boost::asio::awaitable<StreamId> prepare(const Show& show);
    // Everyone must have settled and every show must be prepared.
    boost::asio::awaitable<void> bring_to_life();

    // By username; those who have settled.
    const Resident& resident(std::string_view username) const;

  private:
    boost::asio::awaitable<void> settle_one(const Person& person);
    boost::asio::awaitable<void> fill_wallet(UserId user);
    boost::asio::awaitable<accounts::Account> open_account(const Person& person);
    boost::asio::awaitable<void> follow_each_other();
    boost::asio::awaitable<void> announce(const Announcement& announcement);
    // Says the conversation in a room where nobody has spoken yet.
    boost::asio::awaitable<void> talk(StreamId stream, std::span<const Conversation> conversations);

    Services services_;
    std::unordered_map<std::string, accounts::Account> known_;  // who was here at the start
    std::unordered_map<std::string, Resident> residents_;
    std::vector<std::pair<StreamId, const Show*>> prepared_;
};

}  // namespace spaktok::demo
