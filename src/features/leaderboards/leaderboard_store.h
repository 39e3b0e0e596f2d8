// What the boards follow from: the gifts among `transactions`.
#pragma once

#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/leaderboards/leaderboard.h"

namespace spaktok::leaderboards {

class LeaderboardStore {
  public:
    explicit LeaderboardStore(relational::Database& database) : database_(database) {}

    // Who is summed up: either side since a moment, or those who sent to a stream.
    struct Sums {
        Side side = Side::senders;
        std::optional<StreamId> stream{};
        Timestamp from{};   // what was sent earlier is left out
        Timestamp until{};  // as it was then: what was sent or taken back later is left out
    };
    struct Sum {
        UserId member;
        std::int64_t amount = 0;
    };
    // By member, those after `after`. Of a moment that lies longer back than a transaction can take, every
    // page answers the same whenever it is read.
    boost::asio::awaitable<std::vector<Sum>> page(Sums sums, std::optional<UserId> after, std::int64_t limit);

    // What was sent or taken back since, and what is not delivered yet, all of one moment.
    struct Recent {
        std::vector<Gift> gifts;
        struct Waiting {
            Uuid event_id;
            std::vector<Gift> gifts;
        };
        std::vector<Waiting> waiting;
    };
    boost::asio::awaitable<Recent> recent(Timestamp since);

    // Most given first.
    boost::asio::awaitable<std::vector<Sum>> top_of_stream(StreamId stream, std::int64_t limit);
    // One member's sum.
    boost::asio::awaitable<std::int64_t> sum_of(Sums sums, UserId member);

    // The boards that there are at a moment, and what each sums up until another.
    struct Summed {
        Board board;
        Sums sums;
    };
    boost::asio::awaitable<std::vector<Summed>> boards(Timestamp now, Timestamp until);

  private:
    boost::asio::awaitable<std::vector<StreamId>> streams(Timestamp since);

    relational::Database& database_;
};

}  // namespace spaktok::leaderboards
