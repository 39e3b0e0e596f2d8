#include "features/streams/stream_check.h"

#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <boost/describe/enum_to_string.hpp>
#include <fmt/format.h>

#include "features/events/events.h"
#include "features/streams/live_board.h"
#include "features/streams/stream_store.h"

namespace spaktok::streams {

namespace asio = boost::asio;
using checking::Findings;

namespace {

constexpr std::int64_t page_streams = 200;
constexpr std::size_t page_ranked = 1000;
// How often a stream that differs is looked at: its next event may come in the moment between two looks.
constexpr int looks_max = 5;

std::string text_of(const std::optional<Timestamp>& at) {
    return at ? to_rfc3339(*at) : "none";
}

// The first field in which the document is not what the stream says.
std::optional<checking::Difference> difference_of(const Stream& stream, const LiveStream* document) {
    const auto place = [&](std::string_view field) {
        return fmt::format("live_streams.{} of stream {}", field, stream.id.to_string());
    };
    if (document == nullptr)
        return checking::Difference{.place = place("_id"), .stored = "none", .expected = "a document"};
    const std::array<std::array<std::string, 3>, 6> fields{
        {{"streamer_id", document->streamer_id.to_string(), stream.user_id.to_string()},
         {"title", document->title, stream.title},
         {"description", document->description, stream.description},
         {"status", document->status, boost::describe::enum_to_string(stream.status, "")},
         {"start_time", text_of(document->start_time), text_of(stream.started_at)},
         {"end_time", text_of(document->end_time), text_of(stream.ended_at)}}};
    for (const auto& [field, stored, expected] : fields) {
        if (stored != expected)
            return checking::Difference{.place = place(field), .stored = stored, .expected = expected};
    }
    return std::nullopt;
}

class Check {
  public:
    Check(CheckOptions options, Findings& findings)
        : options_(options),
          findings_(findings),
          store_(options.database),
          live_(options.documents, "live_streams"),
          board_({.documents = options.documents,
                  .realtime = options.realtime,
                  .clock = options.clock,
                  .random = options.random,
                  .publish = [](const std::string&, const std::string&,
                                const json::Value&) -> asio::awaitable<void> { co_return; },
                  .players_without_socket = [](StreamId) { return std::int64_t{0}; }}) {}

    asio::awaitable<void> run() {
        co_await board_.ensure();
        co_await check_documents();
        co_await check_orphans();
        if (options_.has_ranking) co_await check_ranking();
    }

  private:
    asio::awaitable<std::unordered_map<StreamId, LiveStream>> documents_of(
        const std::vector<Stream>& streams) {
        std::vector<document::Value> ids;
        for (const auto& stream : streams)
            ids.emplace_back(stream.id.value);
        const auto limit = static_cast<std::int64_t>(ids.size());
        std::unordered_map<StreamId, LiveStream> found;
        for (auto& document :
             co_await live_.find({document::in("stream_id", std::move(ids))}, {.limit = limit}))
            found.emplace(document.stream_id, std::move(document));
        co_return found;
    }

    asio::awaitable<void> check_documents() {
        std::optional<StreamId> after;
        for (;;) {
            const auto streams = co_await store_.page_by_id(after, page_streams);
            if (streams.empty()) co_return;
            const auto documents = co_await documents_of(streams);
            for (const auto& stream : streams) {
                const auto found = documents.find(stream.id);
                if (difference_of(stream, found == documents.end() ? nullptr : &found->second))
                    co_await look_again(stream.id);
            }
            findings_.compared(streams.size());
            after = streams.back().id;
        }
    }

    // The stream and its document again, until they agree, an event is on its way that will make them, or
    // neither.
    asio::awaitable<void> look_again(StreamId id) {
        for (int look = 1;; ++look) {
            if (co_await is_on_its_way(id)) co_return;
            const auto stream = co_await store_.find(id);
            if (!stream) co_return;
            const auto document = co_await live_.find_one({document::eq("stream_id", id.value)});
            const auto difference = difference_of(*stream, document ? &*document : nullptr);
            if (!difference) co_return;
            if (look == looks_max) {
                co_await findings_.differs(*difference, [&] { return board_.follow(*stream); });
                co_return;
            }
        }
    }

    asio::awaitable<bool> is_on_its_way(StreamId id) {
        co_return co_await events::are_waiting(options_.database, "stream", id.to_string());
    }

    asio::awaitable<void> check_orphans() {
        std::optional<ObjectId> after;
        for (;;) {
            document::Filter filter;
            if (after) filter.push_back(document::gt("_id", *after));
            const auto documents =
                co_await live_.find(std::move(filter), {.sort = {{.field = "_id"}}, .limit = page_streams});
            if (documents.empty()) co_return;
            std::vector<StreamId> ids;
            for (const auto& document : documents)
                ids.push_back(document.stream_id);
            std::unordered_set<StreamId> known;
            for (const auto& stream : co_await store_.find_all(ids))
                known.insert(stream.id);
            for (const auto id : ids) {
                if (known.contains(id) || co_await is_on_its_way(id)) continue;
                co_await findings_.differs({.place = fmt::format("live_streams.stream_id {}", id.to_string()),
                                            .stored = "a document",
                                            .expected = "none, as there is no such stream"},
                                           [&] { return board_.forget(id); });
            }
            after = documents.back()._id;
        }
    }

    asio::awaitable<void> check_ranking() {
        std::unordered_set<StreamId> live;
        for (const auto& stream : co_await store_.all_live())
            live.insert(stream.id);
        auto& rankings = options_.realtime.rankings();
        std::unordered_set<StreamId> ranked;
        for (std::size_t offset = 0;; offset += page_ranked) {
            const auto page = co_await rankings.top(std::string(live_ranking), offset, page_ranked);
            for (const auto& place : page)
                ranked.insert(json::from_value<StreamId>(json::Value(place.member)));
            if (page.size() < page_ranked) break;
        }
        findings_.compared(live.size());
        for (const auto id : live)
            if (!ranked.contains(id)) co_await check_ranked(id);
        for (const auto id : ranked)
            if (!live.contains(id)) co_await check_ranked(id);
    }

    asio::awaitable<void> check_ranked(StreamId id) {
        for (int look = 1;; ++look) {
            if (co_await is_on_its_way(id)) co_return;
            const auto stream = co_await store_.find(id);
            const bool is_live = stream && stream->status == Status::live;
            const auto score =
                co_await options_.realtime.rankings().score(std::string(live_ranking), id.to_string());
            if (is_live == score.has_value()) co_return;
            if (look < looks_max) continue;
            co_await findings_.differs(
                {.place = fmt::format("ranking of live streams, stream {}", id.to_string()),
                 .stored = score ? "ranked" : "missing",
                 .expected = is_live ? "ranked" : "missing"},
                [&] { return stream ? board_.follow(*stream) : board_.forget(id); });
            co_return;
        }
    }

    CheckOptions options_;
    Findings& findings_;
    StreamStore store_;
    document::Collection<LiveStream> live_;
    LiveBoard board_;
};

}  // namespace

asio::awaitable<void> check_streams(CheckOptions options, Findings& findings) {
    Check check(options, findings);
    co_await check.run();
}

}  // namespace spaktok::streams
