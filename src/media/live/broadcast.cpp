#include "media/live/broadcast.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"

namespace spaktok::media {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds status_interval{2};
constexpr std::chrono::seconds bitrate_window{5};
constexpr std::chrono::seconds retry_interval{1};
// The Authority's store may be away for a moment; a broadcast that it never hears the end of would be live
// for ever.
constexpr int off_air_attempts_max = 30;

// A broadcast counts from 0: players keep tables as long as the discontinuity sequence number, and hls.js
// stands still where it is in the millions. One that was on air before (its window was lost in a crash) goes
// on at its age in seconds, because a player that saw segment 100 must neither be offered another segment 100
// nor a lower one (RFC 8216, 6.2.2). Segments have more than a second, so seconds run ahead of them; the
// margin is for the shorter ones that publishers leave behind who drop and return.
hls::Window::First first_numbers(const Publication& publication, Timestamp now) {
    constexpr std::int64_t margin = 10;
    if (!publication.live_since) return {};
    const auto age = std::chrono::floor<std::chrono::seconds>(now - *publication.live_since);
    const auto number = std::max<std::int64_t>(0, age.count()) + margin;
    return {.sequence = number, .timeline = number};
}

bool is_final(ErrorCode code) {
    return code == ErrorCode::conflict || code == ErrorCode::not_found || code == ErrorCode::forbidden;
}

std::string joined(const std::string& video, const std::string& audio) {
    return video.empty() || audio.empty() ? video + audio : video + "," + audio;
}

}  // namespace

Broadcast::Broadcast(Environment environment, Publication publication, std::size_t home_thread)
    : environment_(environment),
      publication_(publication),
      home_thread_(home_thread),
      channel_(std::make_shared<hls::Channel>(
          std::make_shared<hls::Window>(
              environment.window, first_numbers(publication, environment.clock.now()), environment.threads),
          environment.clock, environment.random)),
      left_at_(environment.clock.steady_now()),
      wake_(environment.threads.context(home_thread)),
      restored_(false) {}

Broadcast::Broadcast(Environment environment, Kept kept, std::size_t home_thread)
    : environment_(environment),
      publication_(kept.publication),
      home_thread_(home_thread),
      channel_(std::make_shared<hls::Channel>(
          std::make_shared<hls::Window>(environment.window, std::move(kept.contents), environment.threads),
          environment.clock, environment.random)),
      thumbnails_(std::move(kept.thumbnails)),
      left_at_(environment.clock.steady_now()),
      left_because_("the server was restarted"),
      started_at_(kept.started_at),
      wake_(environment.threads.context(home_thread)),
      restored_(true) {}

std::optional<Broadcast::Turn> Broadcast::take_over(PublisherRequest request) {
    std::function<void(std::string)> disconnect;
    Turn turn;
    {
        const std::scoped_lock lock(mutex_);
        if (end_reason_) return std::nullopt;
        disconnect = release_publisher("a newer publisher took over");
        turn = Turn{++turns_};
        publisher_ = Publisher{turn, request.protocol, std::move(request.disconnect)};
        protocol_ = std::move(request.protocol);
        measured_ = {};
        weighed_.clear();
    }
    if (disconnect) disconnect("a newer publisher took over");
    notify();
    return turn;
}

// With the lock held. What it returns is to be called without: it is a stranger's.
std::function<void(std::string)> Broadcast::release_publisher(std::string reason) {
    if (!publisher_) return nullptr;
    auto disconnect = std::move(publisher_->disconnect);
    publisher_.reset();
    left_at_ = environment_.clock.steady_now();
    left_because_ = std::move(reason);
    channel_->window().close_segment();
    return disconnect;
}

void Broadcast::begin_timeline(Turn turn, Tracks tracks) {
    const std::scoped_lock lock(mutex_);
    if (!publisher_ || publisher_->turn != turn || end_reason_) return;
    channel_->window().begin_timeline({.init = tracks.init,
                                       .codecs = joined(tracks.video_codec, tracks.audio_codec),
                                       .width = tracks.width,
                                       .height = tracks.height},
                                      environment_.clock.now());
    tracks_ = std::move(tracks);
}

void Broadcast::add(Turn turn, const cmaf::Fragment& fragment, const Measurements& measured) {
    bool first = false;
    {
        const std::scoped_lock lock(mutex_);
        if (!publisher_ || publisher_->turn != turn || end_reason_) return;
        first = weighed_.empty();
        if (started_at_ == Timestamp{}) started_at_ = environment_.clock.now();
        channel_->window().add(fragment);
        measured_ = measured;
        const auto now = environment_.clock.steady_now();
        weighed_.push_back({now, fragment.bytes->size(), fragment.duration});
        while (now - weighed_.front().at > bitrate_window)
            weighed_.pop_front();
    }
    if (first) notify();
}

void Broadcast::publisher_left(Turn turn, std::string reason) {
    {
        const std::scoped_lock lock(mutex_);
        if (!publisher_ || publisher_->turn != turn) return;
        log::info("publisher left", {{"stream", stream_id().to_string()}, {"reason", reason}});
        release_publisher(std::move(reason));
    }
    notify();
}

void Broadcast::disconnect_publisher(const std::string& reason) {
    std::function<void(std::string)> disconnect;
    {
        const std::scoped_lock lock(mutex_);
        disconnect = release_publisher(reason);
    }
    if (disconnect) disconnect(reason);
    notify();
}

void Broadcast::end(std::string reason) {
    std::function<void(std::string)> disconnect;
    {
        const std::scoped_lock lock(mutex_);
        if (end_reason_) return;
        disconnect = release_publisher(reason);
        end_reason_ = reason;
        channel_->window().end();
    }
    if (disconnect) disconnect(std::move(reason));
    notify();
}

void Broadcast::hand_over() {
    constexpr const char* reason = "another node went on with it";
    std::function<void(std::string)> disconnect;
    {
        const std::scoped_lock lock(mutex_);
        if (end_reason_) return;
        disconnect = release_publisher(reason);
        end_reason_ = reason;
        is_handed_over_ = true;
    }
    if (disconnect) disconnect(reason);
    channel_->window().arrivals().advance(hls::Arrivals::everything);  // who waits asks again
    notify();
}

bool Broadcast::has_publisher() const {
    const std::scoped_lock lock(mutex_);
    return publisher_.has_value();
}

bool Broadcast::ended() const {
    const std::scoped_lock lock(mutex_);
    return end_reason_.has_value();
}

bool Broadcast::is_handed_over() const {
    const std::scoped_lock lock(mutex_);
    return is_handed_over_;
}

std::string Broadcast::end_reason() const {
    const std::scoped_lock lock(mutex_);
    return end_reason_.value_or("");
}

IngestStatus Broadcast::status() const {
    const std::scoped_lock lock(mutex_);
    IngestStatus status{.stream_id = publication_.stream_id,
                        .protocol = protocol_,
                        .video_codec = tracks_.video_codec,
                        .audio_codec = tracks_.audio_codec,
                        .width = tracks_.width,
                        .height = tracks_.height,
                        .fps = channel_->window().fps(),
                        .keyframe_interval_seconds = measured_.keyframe_interval_seconds,
                        .dropped_access_units = measured_.dropped,
                        .connected = publisher_.has_value(),
                        .started_at = started_at_};
    std::size_t bytes = 0;
    std::chrono::microseconds duration{};
    const auto now = environment_.clock.steady_now();
    for (const auto& fragment : weighed_) {
        if (now - fragment.at > bitrate_window) continue;
        bytes += fragment.bytes;
        duration += fragment.duration;
    }
    if (duration.count() > 0 && publisher_) {
        status.bitrate = static_cast<std::int64_t>(static_cast<double>(bytes) * 8e6 /
                                                   static_cast<double>(duration.count()));
    }
    return status;
}

std::optional<Broadcast::Kept> Broadcast::keep() const {
    const std::scoped_lock lock(mutex_);
    if (end_reason_ || !channel_->window().has_parts()) return std::nullopt;
    return Kept{publication_, started_at_, channel_->window().contents(), thumbnails_};
}

void Broadcast::notify() {
    asio::post(environment_.threads.context(home_thread_), [self = shared_from_this()] {
        self->notified_ = true;
        self->wake_.cancel();
    });
}

asio::awaitable<void> Broadcast::sleep(std::chrono::milliseconds at_most) {
    if (!notified_) {
        wake_.expires_after(at_most);
        boost::system::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    notified_ = false;
    // Woken by the group's stop: the next wait would throw, but the broadcast must not be judged before it.
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
}

// Whether it has ended; ends it where its publisher has gone and the grace is over. Decided under the lock,
// so that a publisher that returns at the last moment is either there or too late.
bool Broadcast::expire() {
    const std::scoped_lock lock(mutex_);
    if (end_reason_) return true;
    if (publisher_) return false;
    // Nobody saw anything of it yet: there is nothing to come back to.
    const bool shown = channel_->window().has_parts();
    if (shown && environment_.clock.steady_now() < left_at_ + environment_.reconnect_grace) return false;
    end_reason_ = left_because_.empty() ? "the publisher has gone" : left_because_;
    channel_->window().end();
    return true;
}

// What `on_air` is about: a publisher is there, and what it sent can be played.
bool Broadcast::is_showing() const {
    const std::scoped_lock lock(mutex_);
    return publisher_ && !weighed_.empty();
}

std::chrono::milliseconds Broadcast::until_expiry() const {
    const std::scoped_lock lock(mutex_);
    if (publisher_) return std::chrono::milliseconds::max();
    const auto left = left_at_ + environment_.reconnect_grace - environment_.clock.steady_now();
    return std::chrono::ceil<std::chrono::milliseconds>(left);
}

asio::awaitable<void> Broadcast::run(Authority& authority) {
    const auto self = shared_from_this();
    auto next_status = environment_.clock.steady_now() + status_interval;
    while (!expire()) {
        if (!announced_ && is_showing()) co_await announce(authority);
        if (announced_ && environment_.clock.steady_now() >= next_status) {
            next_status = environment_.clock.steady_now() + status_interval;
            co_await report(authority);
        }
        if (expire()) break;
        const auto until_status =
            std::chrono::ceil<std::chrono::milliseconds>(next_status - environment_.clock.steady_now());
        const auto pause = announced_ ? until_status : std::chrono::milliseconds(retry_interval);
        co_await sleep(std::max(std::min(pause, until_expiry()), std::chrono::milliseconds{1}));
    }
    log::info("broadcast ended", {{"stream", stream_id().to_string()}, {"reason", end_reason()}});
    if (is_handed_over()) co_return;
    if (announced_ || restored_) co_await take_off_air(authority);
    if (!channel_->window().has_parts()) co_return;
    const auto until = environment_.clock.steady_now() + environment_.linger;
    while (environment_.clock.steady_now() < until) {
        co_await sleep(std::chrono::ceil<std::chrono::milliseconds>(until - environment_.clock.steady_now()));
    }
}

asio::awaitable<void> Broadcast::announce(Authority& authority) {
    try {
        co_await authority.on_air(status());
        announced_ = true;
        log::info("broadcast on air", {{"stream", stream_id().to_string()}});
        co_return;
    } catch (const Error& error) {
        log::warning(
            "on_air was refused",
            {{"stream", stream_id().to_string()}, {"error", error.message()}, {"detail", error.detail()}});
        if (is_final(error.code())) end(error.message());
    }
}

asio::awaitable<void> Broadcast::report(Authority& authority) {
    try {
        co_await authority.on_status(status());
    } catch (const Error& error) {
        log::warning("on_status failed", {{"stream", stream_id().to_string()}, {"detail", error.detail()}});
    }
}

asio::awaitable<void> Broadcast::take_off_air(Authority& authority) {
    for (int attempt = 1; attempt <= off_air_attempts_max; ++attempt) {
        try {
            co_await authority.off_air(stream_id(), end_reason());
            co_return;
        } catch (const Error& error) {
            log::warning("off_air failed", {{"stream", stream_id().to_string()},
                                            {"error", error.message()},
                                            {"detail", error.detail()}});
            if (is_final(error.code())) co_return;
        }
        co_await sleep(retry_interval);
    }
    log::error("off_air given up", {{"stream", stream_id().to_string()}});
}

}  // namespace spaktok::media
