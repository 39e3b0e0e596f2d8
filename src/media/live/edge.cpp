#include "media/live/edge.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "base/event.h"
#include "base/metrics.h"
#include "base/task_group.h"
#include "http/client.h"
#include "http/syntax.h"
#include "media/hls/player_count.h"

namespace spaktok::media {

namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

// The other node waits nine seconds at most for what is about to come.
constexpr std::chrono::milliseconds patience{12'000};
// Media: about as long as a player may be behind. A thread keeps at most so much of all its streams.
constexpr std::chrono::seconds media_life{60};
constexpr std::size_t kept_bytes_max = 96u * 1024 * 1024;
// A playlist that was waited for says the same to everyone who waits for the same part.
constexpr std::chrono::milliseconds awaited_playlist_life{1'000};
// Any other may be behind by so much: less than a part.
constexpr std::chrono::milliseconds playlist_life{200};

constexpr std::string_view master = "master.m3u8";
constexpr std::string_view media = "media.m3u8";
constexpr std::size_t name_characters_max = 48;

bool is_media_name(std::string_view file) {
    const auto is_usual = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    };
    return file.size() <= name_characters_max && std::ranges::all_of(file, is_usual) &&
           (file.ends_with(".m4s") || file.ends_with(".mp4"));
}

// "_HLS_msn=12&_HLS_part=3", of whole numbers alone: it becomes part of a request line and of a key.
std::string directives_of(const http::Request& request) {
    std::string directives;
    for (const std::string_view name : {"_HLS_msn", "_HLS_part"}) {
        const auto value = request.query(name);
        if (!value) continue;
        const bool is_number = !value->empty() && value->size() <= 13 &&
                               std::ranges::all_of(*value, [](char c) { return c >= '0' && c <= '9'; });
        if (!is_number)
            throw Error(ErrorCode::invalid_argument, "This must be a whole number.",
                        {.field = std::string(name)});
        directives += (directives.empty() ? "?" : "&") + std::string(name) + "=" + *value;
    }
    return directives;
}

bool accepts_gzip(const http::Request& request) {
    return http::accepted_weight(request.headers.get("Accept-Encoding").value_or(""), "gzip") > 0;
}

using Answer = std::shared_ptr<const http::Client::Answer>;

struct Wanted {
    std::string origin;
    std::string target;
    bool gzip = false;
    steady_clock::duration life{};  // of a good answer
    std::string key() const { return origin + target + (gzip ? " gzip" : ""); }
};

// What one I/O thread fetches and keeps.
class Shelf : public std::enable_shared_from_this<Shelf> {
  public:
    Shelf(asio::io_context& context, const Clock& clock)
        : context_(context), clock_(clock), client_(context, {}), tasks_(context.get_executor(), "edge") {}

    asio::io_context& context() { return context_; }

    asio::awaitable<Answer> get(Wanted wanted) {
        const auto self = shared_from_this();
        auto& slot = books_[wanted.key()];
        if (!slot || (slot->there.is_set() && clock_.steady_now() >= slot->good_until)) {
            slot = std::make_shared<Book>(context_);
            tasks_.spawn(fetch(slot, std::move(wanted)));
        }
        const auto book = slot;
        co_await book->there.wait();
        if (book->failure) std::rethrow_exception(book->failure);
        co_return book->answer;
    }

    asio::awaitable<void> stop() {
        const auto self = shared_from_this();
        co_await tasks_.stop();
    }

  private:
    struct Book {
        explicit Book(asio::io_context& context) : there(context) {}
        Event there;
        Answer answer;
        std::exception_ptr failure;
        steady_clock::time_point good_until{};
    };
    struct Kept {
        steady_clock::time_point until;
        std::string key;
        std::shared_ptr<Book> book;
    };

    asio::awaitable<void> fetch(std::shared_ptr<Book> book, Wanted wanted) {
        const std::string key = wanted.key();
        try {
            http::Headers headers;
            if (wanted.gzip) headers.set("Accept-Encoding", "gzip");
            book->answer = std::make_shared<const http::Client::Answer>(
                co_await client_.get(wanted.origin, wanted.target, std::move(headers), patience));
            fetched_.add();
        } catch (const Error&) {
            book->failure = std::current_exception();
        } catch (const boost::system::system_error&) {  // the program stops
            book->failure = std::make_exception_ptr(Error(ErrorCode::unavailable, "The server is stopping.",
                                                          {.retry_after = std::chrono::seconds(1)}));
        }
        const auto now = clock_.steady_now();
        const bool is_good = book->answer && book->answer->status == 200;
        book->good_until = is_good ? now + wanted.life : now;
        book->there.set();
        if (is_good) {
            keep({book->good_until, key, book});
        } else {
            remove(key, book);  // names that nothing has must not fill the shelf
        }
    }

    void remove(const std::string& key, const std::shared_ptr<Book>& book) {
        const auto found = books_.find(key);
        if (found != books_.end() && found->second == book) books_.erase(found);
    }

    void keep(Kept kept) {
        bytes_ += size_of(kept);
        kept_.push_back(std::move(kept));
        const auto now = clock_.steady_now();
        // Lives differ: what is over is found once it is at the front, a minute later at most.
        while (!kept_.empty() && (kept_.front().until <= now || bytes_ > kept_bytes_max)) {
            const auto& oldest = kept_.front();
            remove(oldest.key, oldest.book);
            bytes_ -= size_of(oldest);
            kept_.pop_front();
        }
    }
    static std::size_t size_of(const Kept& kept) {
        return kept.book->answer ? kept.book->answer->body->size() : 0;
    }

    asio::io_context& context_;
    const Clock& clock_;
    http::Client client_;
    TaskGroup tasks_;
    std::unordered_map<std::string, std::shared_ptr<Book>> books_;
    std::deque<Kept> kept_;
    std::size_t bytes_ = 0;
    metrics::Counter fetched_ = metrics::counter("spaktok_edge_fetches_total",
                                                 "Files of live streams that were fetched from other nodes.");
};

}  // namespace

struct Edge::State {
    State(IoThreads& threads, const Clock& given_clock, Random& given_random)
        : clock(given_clock), random(given_random) {
        for (std::size_t i = 0; i < threads.size(); ++i)
            shelves.push_back(std::make_shared<Shelf>(threads.context(i), clock));
    }

    asio::awaitable<Answer> fetch(StreamId stream, Wanted wanted) {
        const auto shelf = shelves[std::hash<StreamId>()(stream) % shelves.size()];
        co_return co_await asio::co_spawn(shelf->context(), shelf->get(std::move(wanted)),
                                          asio::use_awaitable);
    }
    std::shared_ptr<hls::PlayerCount> players_of(StreamId stream) {
        const std::scoped_lock lock(mutex);
        if (const auto found = players.find(stream); found != players.end()) return found->second;
        std::erase_if(players,
                      [&](const auto& other) { return other.second->count(clock.steady_now()) == 0; });
        return players[stream] = std::make_shared<hls::PlayerCount>();
    }

    const Clock& clock;
    Random& random;
    std::vector<std::shared_ptr<Shelf>> shelves;  // one a thread
    mutable std::mutex mutex;
    std::unordered_map<StreamId, std::shared_ptr<hls::PlayerCount>> players;
};

Edge::Edge(IoThreads& threads, const Clock& clock, Random& random)
    : state_(std::make_shared<State>(threads, clock, random)) {}
Edge::~Edge() = default;

namespace {

http::Response passed_on(const Answer& answer) {
    http::Response response;
    response.status = answer->status;
    for (const auto* name : {"Content-Type", "Cache-Control", "Vary", "Content-Encoding", "Retry-After"}) {
        if (const auto value = answer->headers.get(name)) response.headers.set(name, *value);
    }
    if (!answer->body->empty()) response.shared_body.emplace_back(answer->body);
    return response;
}

// Each player gets a session of its own, by which it is counted here.
http::Response with_session(const Answer& answer, const std::string& session) {
    constexpr std::string_view uncounted = "counted=0";
    std::string text = *answer->body;
    for (auto at = text.find(uncounted); at != std::string::npos; at = text.find(uncounted, at))
        text.replace(at, uncounted.size(), session);
    auto response = passed_on(answer);
    response.shared_body.clear();
    response.body = std::move(text);
    return response;
}

}  // namespace

asio::awaitable<http::Response> Edge::answer(StreamId stream, std::string origin,
                                             const http::Request& request, std::string file) {
    const auto state = state_;
    const bool is_counted = request.query("counted") != "0";
    const std::string folder = "/live/" + stream.to_string() + "/";
    if (file == master) {
        const auto answer = co_await state->fetch(stream, {.origin = std::move(origin),
                                                           .target = folder + file + "?counted=0",
                                                           .life = awaited_playlist_life});
        const bool is_good = answer->status == 200;
        co_return is_good&& is_counted ? with_session(answer, "session=" + state->random.token(12))
                                       : passed_on(answer);
    }
    if (file == media) {
        if (is_counted) {
            if (const auto session = request.query("session"))
                state->players_of(stream)->seen(*session, state->clock.steady_now());
        }
        const auto directives = directives_of(request);
        co_return passed_on(co_await state->fetch(
            stream, {.origin = std::move(origin),
                     .target = folder + file + directives,
                     .gzip = accepts_gzip(request),
                     .life = directives.empty() ? playlist_life : awaited_playlist_life}));
    }
    if (!is_media_name(file))
        throw Error(ErrorCode::not_found, "This part of the stream is not here (any more).");
    const auto answer = co_await state->fetch(
        stream, {.origin = std::move(origin), .target = folder + file, .life = media_life});
    if (answer->status != 200) co_return passed_on(answer);
    auto response = http::Response::bytes(request, answer->body, "video/mp4");
    response.headers.set("Cache-Control", answer->headers.get("Cache-Control").value_or("no-store"));
    co_return response;
}

std::int64_t Edge::uncounted_players(StreamId stream) const {
    const std::scoped_lock lock(state_->mutex);
    const auto found = state_->players.find(stream);
    return found == state_->players.end() ? 0 : found->second->count(state_->clock.steady_now());
}

void Edge::stop() {
    for (const auto& shelf : state_->shelves)
        asio::co_spawn(shelf->context(), shelf->stop(), asio::use_future).get();
}

}  // namespace spaktok::media
