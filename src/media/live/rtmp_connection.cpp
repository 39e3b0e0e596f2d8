#include "media/live/rtmp_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include "base/deadline.h"
#include "base/error.h"
#include "base/log.h"
#include "media/rtmp/failure.h"

namespace spaktok::media {

namespace asio = boost::asio;
using rtmp::Session;

namespace {

// After this many full buffers the thread's other connections have their turn.
constexpr int reads_per_turn_max = 8;
// What is still to be said when the connection ends: together below the second within which disconnect()
// closes.
constexpr std::chrono::milliseconds goodbye_write_max{300};
constexpr std::chrono::milliseconds goodbye_read_max{200};

constexpr std::array<std::string_view, 21> closing_reasons{"finished",
                                                           "peer_closed",
                                                           "connection_lost",
                                                           "handshake_timeout",
                                                           "publish_timeout",
                                                           "silent",
                                                           "write_timeout",
                                                           "disconnected",
                                                           "stopping",
                                                           "unavailable",
                                                           "refused",
                                                           "internal",
                                                           "connections_max",
                                                           "address_max",
                                                           rtmp::reason::not_rtmp,
                                                           rtmp::reason::malformed,
                                                           rtmp::reason::too_large,
                                                           rtmp::reason::out_of_order,
                                                           rtmp::reason::unsupported,
                                                           rtmp::reason::play_refused,
                                                           rtmp::reason::key_refused};

// The static word of an error that a session threw, or that the gate or the sink did.
std::string_view reason_of(const Error& error) {
    const auto known = std::ranges::find(closing_reasons, error.reason());
    if (known != closing_reasons.end()) return *known;
    switch (error.code()) {
        case ErrorCode::unauthenticated:
        case ErrorCode::forbidden:
        case ErrorCode::not_found:
            return rtmp::reason::key_refused;
        case ErrorCode::unavailable:
        case ErrorCode::rate_limited:
        case ErrorCode::deadline_exceeded:
            return "unavailable";
        case ErrorCode::unsupported_media:
            return rtmp::reason::unsupported;
        case ErrorCode::internal:
            return "internal";
        default:
            return "refused";
    }
}

// What a stranger sent, for a log line.
std::string printable(std::string_view text) {
    std::string result{text.substr(0, 100)};
    std::ranges::replace_if(result, [](char letter) { return letter < ' ' || letter > '~'; }, '?');
    return result;
}

}  // namespace

RtmpMetrics::RtmpMetrics()
    : connections(metrics::gauge("spaktok_rtmp_connections", "RTMP connections in any state.")),
      publishers(metrics::gauge("spaktok_rtmp_publishers", "Accepted RTMP publishers.")),
      received_bytes(
          metrics::counter("spaktok_rtmp_received_bytes_total", "Bytes read from RTMP connections.")),
      unusable_access_units(
          metrics::counter("spaktok_rtmp_unusable_access_units_total",
                           "Access units that publishers sent broken and that were left out.")) {
    for (const std::string_view reason : closing_reasons) {
        closed_.emplace(
            reason, metrics::counter("spaktok_rtmp_closed_total", "RTMP connections that ended, by reason.",
                                     {{"reason", std::string{reason}}}));
    }
}

void RtmpMetrics::closed(std::string_view reason) {
    if (const auto found = closed_.find(reason); found != closed_.end()) found->second.add();
}

RtmpConnection::RtmpConnection(asio::ip::tcp::socket socket, std::string remote_address,
                               Surroundings surroundings)
    : socket_(std::move(socket)),
      remote_address_(std::move(remote_address)),
      surroundings_(surroundings),
      session_(rtmp::Limits{}, surroundings.random),
      deadline_(surroundings.wheel,
                [this] {
                    const bool in_handshake = session_.state() == Session::State::handshake;
                    if (sink_)
                        return expire({"silent", "The publisher sent no audio or video for too long."});
                    if (in_handshake) return expire({"handshake_timeout", "The handshake took too long."});
                    expire({"publish_timeout", "No publish followed the handshake."});
                }),
      write_deadline_(surroundings.wheel, [this] { expire({"write_timeout", "The peer does not read."}); }),
      accepted_at_(std::chrono::steady_clock::now()) {}

asio::awaitable<void> RtmpConnection::run(std::shared_ptr<RtmpConnection> self) {
    RtmpEnding ending{"internal", ""};
    try {
        co_await self->serve();
        ending = *std::exchange(self->asked_to_end_, std::nullopt);
    } catch (const Error& error) {
        ending = {reason_of(error), error.message()};
        if (!error.detail().empty()) log::error("rtmp publisher failed", {{"detail", error.detail()}});
    } catch (const boost::system::system_error& error) {
        ending = {error.code() == asio::error::operation_aborted ? "stopping" : "connection_lost",
                  error.code().message()};
    } catch (const std::exception& error) {
        log::error("rtmp publisher failed", {{"remote", self->remote_address_}, {"error", error.what()}});
        ending.message = "The server failed.";
    }
    self->settle(ending);
    try {
        co_await self->say_goodbye();
    } catch (const boost::system::system_error&) {
        // Cancelled while stopping: the socket is closed without a word.
    }
    boost::system::error_code ignored;
    self->socket_.close(ignored);
}

// Returns when `asked_to_end_` is set.
asio::awaitable<void> RtmpConnection::serve() {
    deadline_.set(surroundings_.options.handshake_max);
    socket_.non_blocking(true);
    while (co_await readable()) {
        co_await read_what_is_there();
    }
}

asio::awaitable<bool> RtmpConnection::readable() {
    if (asked_to_end_) co_return false;
    boost::system::error_code error;
    co_await socket_.async_wait(asio::ip::tcp::socket::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
    if (asked_to_end_) co_return false;
    if (error) throw boost::system::system_error(error);
    co_return true;
}

// The buffer belongs to the whole thread: it is emptied before anything is awaited.
asio::awaitable<void> RtmpConnection::read_what_is_there() {
    for (int reads = 0; reads < reads_per_turn_max && !asked_to_end_; ++reads) {
        boost::system::error_code error;
        const std::size_t size = socket_.read_some(
            asio::buffer(surroundings_.read_buffer.data(), surroundings_.read_buffer.size()), error);
        if (error == asio::error::would_block) co_return;
        if (error) {
            peer_gone_ = true;
            // Encoders that have said goodbye do not wait for the answer, which resets the connection.
            if (session_.state() == Session::State::unpublished) {
                asked_to_end_ = RtmpEnding{"finished", "The publisher has ended."};
            } else if (error == asio::error::eof) {
                asked_to_end_ = RtmpEnding{"peer_closed", "The peer closed the connection."};
            } else {
                throw boost::system::system_error(error);
            }
            co_return;
        }
        received_bytes_ += size;
        surroundings_.metrics.received_bytes.add(static_cast<double>(size));
        std::span<const std::uint8_t> bytes{surroundings_.read_buffer.first(size)};
        auto request = process(bytes);
        std::vector<std::uint8_t> rest;
        while (request) {
            rest = std::vector<std::uint8_t>(bytes.begin(), bytes.end());
            co_await open(std::move(*request));
            if (asked_to_end_) co_return;
            bytes = rest;
            request = process(bytes);
        }
        if (!session_.output().empty()) co_await flush(surroundings_.options.write_max);
        if (size < surroundings_.read_buffer.size()) co_return;
    }
}

// Until a publish is requested or all is consumed.
std::optional<rtmp::PublishRequested> RtmpConnection::process(std::span<const std::uint8_t>& bytes) {
    const Session::State before = session_.state();
    while (auto event = session_.next(bytes)) {
        if (auto* unit = std::get_if<AccessUnit>(&*event)) {
            delivered_ = true;
            sink_->push(std::move(*unit));
        } else if (auto* track = std::get_if<rtmp::TrackConfigured>(&*event)) {
            sink_->configure(track->video, std::move(track->config));
        } else if (auto* request = std::get_if<rtmp::PublishRequested>(&*event)) {
            return std::move(*request);
        } else {
            release_sink("The publisher ended the publish.");
        }
    }
    renew_deadline(before);
    return std::nullopt;
}

void RtmpConnection::renew_deadline(Session::State before) {
    const Session::State now = session_.state();
    const bool waits_anew =
        now != before && (before == Session::State::handshake || now == Session::State::unpublished);
    if (waits_anew) deadline_.set(surroundings_.options.publish_max);
    if (now == Session::State::publishing && delivered_)
        deadline_.set(surroundings_.options.publisher_silence_max);
    delivered_ = false;
}

asio::awaitable<void> RtmpConnection::open(rtmp::PublishRequested request) {
    deadline_.clear();  // the gate has one of its own
    app_ = printable(request.app);
    std::optional<std::shared_ptr<PublisherSink>> sink;
    std::optional<Error> refusal;
    try {
        co_await with_deadline(
            store_result(surroundings_.gate.open({.protocol = "rtmp",
                                                  .stream_key = std::move(request.stream_key),
                                                  .remote_address = remote_address_,
                                                  .io_thread = surroundings_.io_thread,
                                                  .disconnect = disconnect_from_anywhere()}),
                         sink),
            surroundings_.options.publish_max);
    } catch (const Error& error) {
        refusal = error;
    }
    if (sink) {
        sink_ = std::move(*sink);
        surroundings_.metrics.publishers.add(1);
    }
    if (refusal) {
        session_.refuse_publish(refusal->message());
        throw Error(*refusal);
    }
    if (asked_to_end_) co_return;
    session_.accept_publish();
    has_published_ = true;
    deadline_.set(surroundings_.options.publisher_silence_max);
    log::info("rtmp publisher connected",
              {{"remote", remote_address_}, {"app", app_}, {"encoder", printable(session_.encoder())}});
}

std::function<void(std::string)> RtmpConnection::disconnect_from_anywhere() {
    // The connection may only be touched, and freed, on its own thread: so it is looked up there.
    return [weak = weak_from_this(), executor = socket_.get_executor()](std::string why) {
        asio::post(executor, [weak, why = std::move(why)] {
            if (const auto self = weak.lock()) self->disconnect({"disconnected", why});
        });
    };
}

void RtmpConnection::disconnect(RtmpEnding ending) {
    expire(std::move(ending));
}

void RtmpConnection::expire(RtmpEnding ending) {
    if (!asked_to_end_) asked_to_end_ = std::move(ending);
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

asio::awaitable<void> RtmpConnection::flush(std::chrono::milliseconds limit) {
    const std::vector<std::uint8_t> sending = std::exchange(session_.output(), {});
    write_deadline_.set(limit);
    boost::system::error_code error;
    co_await asio::async_write(socket_, asio::buffer(sending),
                               asio::redirect_error(asio::use_awaitable, error));
    write_deadline_.clear();
    if (!error) co_return;
    peer_gone_ = true;
    if (!asked_to_end_) throw boost::system::system_error(error);
}

// Sends what the session has still to say and waits a moment for the peer to close: a socket that is closed
// with unread bytes resets the connection, and the peer would lose the answer that tells it why.
asio::awaitable<void> RtmpConnection::say_goodbye() {
    if (peer_gone_) co_return;
    asked_to_end_.reset();
    if (!session_.output().empty()) co_await flush(goodbye_write_max);
    boost::system::error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (error) co_return;
    deadline_.set(goodbye_read_max);
    while (!asked_to_end_) {
        const asio::mutable_buffer discarded(surroundings_.read_buffer.data(),
                                             surroundings_.read_buffer.size());
        for (int reads = 0; reads < reads_per_turn_max && !error; ++reads) {
            socket_.read_some(discarded, error);
        }
        if (error && error != asio::error::would_block) break;
        co_await socket_.async_wait(asio::ip::tcp::socket::wait_read,
                                    asio::redirect_error(asio::use_awaitable, error));
        if (error) break;
    }
    deadline_.clear();
}

void RtmpConnection::settle(RtmpEnding ending) {
    deadline_.clear();
    write_deadline_.clear();
    if (session_.state() != Session::State::closed) session_.end_publish(ending.message);
    log_ending(ending);
    surroundings_.metrics.closed(ending.reason);
    release_sink(ending.message);
}

void RtmpConnection::release_sink(std::string_view why) {
    if (!sink_) return;
    surroundings_.metrics.publishers.add(-1);
    surroundings_.metrics.unusable_access_units.add(static_cast<double>(session_.unusable_access_units()));
    const auto sink = std::exchange(sink_, nullptr);
    sink->disconnected(std::string{why});
}

void RtmpConnection::log_ending(const RtmpEnding& ending) const {
    const auto lasted = std::chrono::steady_clock::now() - accepted_at_;
    const log::Fields fields{{"remote", remote_address_},
                             {"reason", ending.reason},
                             {"detail", printable(ending.message)},
                             {"published", has_published_},
                             {"seconds", std::chrono::duration_cast<std::chrono::seconds>(lasted).count()},
                             {"received_bytes", received_bytes_},
                             {"unusable_access_units", session_.unusable_access_units()}};
    static constexpr std::array<std::string_view, 4> usual{"finished", "peer_closed", "disconnected",
                                                           "stopping"};
    // Health checks and port scans open a connection and close it.
    if (received_bytes_ == 0 && peer_gone_) return log::debug("rtmp connection closed", fields);
    if (std::ranges::find(usual, ending.reason) != usual.end())
        return log::info("rtmp connection closed", fields);
    log::warning("rtmp connection closed", fields);
}

}  // namespace spaktok::media
