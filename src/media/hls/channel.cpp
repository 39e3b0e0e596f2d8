#include "media/hls/channel.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "http/byte_range.h"
#include "http/syntax.h"

namespace spaktok::media::hls {

namespace asio = boost::asio;

namespace {

constexpr std::string_view playlist_type = "application/vnd.apple.mpegurl";
constexpr std::string_view media_type = "video/mp4";
// Nothing is ever changed under its name, and nobody needs it for longer than a stream's window and a pause
// in it.
constexpr std::string_view immutable = "public, max-age=3600, immutable";
// A broadcast has been announced, its first segment is being written: whoever asks now waits for it. Players
// give up on a playlist that is silent for ten seconds (hls.js' default), so no wait is longer than this.
constexpr std::chrono::milliseconds wait_max{9'000};

[[noreturn]] void not_here() {
    throw Error(ErrorCode::not_found, "This part of the stream is not here (any more).");
}

[[noreturn]] void not_yet() {
    throw Error(ErrorCode::unavailable, "The stream has not begun yet.",
                {.reason = "not_yet", .retry_after = std::chrono::seconds(1)});
}

std::optional<std::int64_t> parse_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // Below 2^40, so that marks cannot overflow. One spelling only: a cache key is a name.
    const bool plain = error == std::errc{} && end == text.data() + text.size() && value >= 0 &&
                       value < (1LL << 40) && (text.size() == 1 || text.front() != '0');
    return plain ? std::optional(value) : std::nullopt;
}

std::optional<std::string_view> between(std::string_view text, std::string_view prefix,
                                        std::string_view suffix) {
    if (text.size() <= prefix.size() + suffix.size() || !text.starts_with(prefix) || !text.ends_with(suffix))
        return std::nullopt;
    return text.substr(prefix.size(), text.size() - prefix.size() - suffix.size());
}

// Keeps the bytes [offset, offset + length) of what the parts are together.
void keep(std::vector<http::BodyPart>& parts, std::size_t offset, std::size_t length) {
    std::vector<http::BodyPart> kept;
    for (auto& part : parts) {
        if (offset >= part.length) {
            offset -= part.length;
            continue;
        }
        if (length == 0) break;
        part.offset += offset;
        part.length = std::min(part.length - offset, length);
        length -= part.length;
        offset = 0;
        kept.push_back(std::move(part));
    }
    parts = std::move(kept);
}

http::Response media_bytes(const http::Request& request, std::vector<http::BodyPart> parts) {
    http::Response response;
    response.headers.set("Content-Type", std::string(media_type));
    response.headers.set("Cache-Control", std::string(immutable));
    response.headers.set("Accept-Ranges", "bytes");
    std::size_t size = 0;
    for (const auto& part : parts)
        size += part.length;
    // Without a validator an If-Range cannot be true: the whole is answered (RFC 9110, 13.1.5).
    const bool ranged = request.method == http::Method::get && !request.headers.get("If-Range");
    const auto header = ranged ? request.headers.get("Range") : std::nullopt;
    if (const auto range = header ? http::parse_range(*header, size) : std::nullopt) {
        if (range->length == 0) throw http::UnsatisfiableRange(size);
        keep(parts, static_cast<std::size_t>(range->offset), static_cast<std::size_t>(range->length));
        response.status = 206;
        response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->offset,
                                                          range->offset + range->length - 1, size));
    }
    response.shared_body = std::move(parts);
    return response;
}

http::Response whole(const http::Request& request, std::optional<http::BodyPart> part) {
    if (!part) not_here();
    std::vector<http::BodyPart> parts;
    parts.push_back(std::move(*part));
    return media_bytes(request, std::move(parts));
}

// What a blocking reload waits for (RFC 8216bis, 6.2.5.2); nullopt for a plain one.
std::optional<std::uint64_t> reload_mark(const http::Request& request, std::int64_t live_sequence) {
    const auto word = request.query("_HLS_msn");
    const auto part_word = request.query("_HLS_part");
    if (!word) {
        if (part_word)
            throw Error(ErrorCode::invalid_argument, "_HLS_part needs _HLS_msn.", {.field = "_HLS_part"});
        return std::nullopt;
    }
    const auto sequence = parse_number(*word);
    if (!sequence || *sequence > live_sequence + 2) {
        throw Error(ErrorCode::invalid_argument, "The segment that was asked for is too far ahead.",
                    {.field = "_HLS_msn"});
    }
    if (!part_word) return Window::mark_of_segment(*sequence);
    const auto part = parse_number(*part_word);
    if (!part || *part >= Window::parts_max) {
        throw Error(ErrorCode::invalid_argument, "There is no such part.", {.field = "_HLS_part"});
    }
    return Window::mark_of_part(*sequence, *part);
}

}  // namespace

asio::awaitable<http::Response> Channel::answer(std::shared_ptr<Channel> channel,
                                                const http::Request& request, std::string file) {
    if (file == "media.m3u8") co_return co_await channel->media(request);
    if (file == "master.m3u8") co_return co_await channel->master(request);
    if (const auto name = between(file, "init-", ".mp4")) {
        const auto number = parse_number(*name);
        if (!number) not_here();
        auto bytes = channel->window_->init(*number);
        if (!bytes) not_here();
        co_return whole(request, http::BodyPart(std::move(bytes)));
    }
    const auto name = between(file, "", ".m4s");
    if (!name) not_here();
    const auto dot = name->find('.');
    const auto sequence = parse_number(name->substr(0, dot));
    if (!sequence) not_here();
    if (dot == std::string_view::npos) {
        auto parts = channel->window_->segment(*sequence);
        if (parts.empty()) not_here();
        co_return media_bytes(request, std::move(parts));
    }
    const auto part = parse_number(name->substr(dot + 1));
    if (!part || *part >= Window::parts_max) not_here();
    co_return co_await channel->part(request, *sequence, *part);
}

// Three target durations: a publisher that is late is not gone yet (RFC 8216bis, 6.2.5.2).
std::chrono::milliseconds Channel::patience() const {
    return std::min<std::chrono::milliseconds>(
        wait_max, std::chrono::seconds(3 * std::max(1, window_->target_duration_seconds())));
}

asio::awaitable<http::Response> Channel::master(const http::Request& request) {
    co_await window_->arrivals().wait(Window::mark_of_anything, wait_max);
    const bool counted = request.query("counted") != "0";
    const std::string uri = counted ? "media.m3u8?session=" + random_.token(12) : "media.m3u8?counted=0";
    auto text = window_->master_playlist(uri);
    if (text.empty()) window_->ended() ? not_here() : not_yet();
    auto response = http::Response::text(std::move(text), playlist_type);
    response.headers.set("Cache-Control", "no-cache");
    co_return response;
}

asio::awaitable<http::Response> Channel::media(const http::Request& request) {
    if (request.query("counted") != "0") {
        if (const auto session = request.query("session")) players_.seen(*session, clock_.steady_now());
    }
    const auto mark = reload_mark(request, window_->live_sequence());
    // Nothing in time is no error: the publisher may be back within its grace, and the player asks again.
    if (mark) co_await window_->arrivals().wait(*mark, patience());
    const bool gzip = http::accepted_weight(request.headers.get("Accept-Encoding").value_or(""), "gzip") > 0;
    const auto encoding = gzip ? Window::Encoding::gzip : Window::Encoding::plain;
    auto text = window_->playlist(encoding);
    const auto deadline = clock_.steady_now() + wait_max;
    while (!text && !window_->ended() && clock_.steady_now() < deadline) {
        // The first segment may be closed by its length or by the publisher's leaving: look at each part.
        const auto next = window_->arrivals().now() + 1;
        if (!co_await window_->arrivals().wait(next, wait_max)) break;
        text = window_->playlist(encoding);
    }
    if (!text) window_->ended() ? not_here() : not_yet();
    http::Response response;
    response.headers.set("Content-Type", std::string(playlist_type));
    // A blocking reload's answer is the same for everyone for as long as a part lasts; any other must be
    // asked for again.
    response.headers.set("Cache-Control", mark ? "public, max-age=1" : "no-cache");
    response.headers.set("Vary", "Accept-Encoding");
    if (gzip) response.headers.set("Content-Encoding", "gzip");
    response.shared_body.emplace_back(std::move(text));
    co_return response;
}

asio::awaitable<http::Response> Channel::part(const http::Request& request, std::int64_t sequence,
                                              std::int64_t part) {
    auto body = window_->part(sequence, static_cast<std::size_t>(part));
    // The hinted part may be asked for before it is there; anything further is nobody's guess.
    const auto mark = Window::mark_of_part(sequence, part);
    if (!body && mark <= window_->arrivals().now() + Window::parts_max &&
        sequence >= window_->live_sequence()) {
        co_await window_->arrivals().wait(mark, patience());
        body = window_->part(sequence, static_cast<std::size_t>(part));
    }
    co_return whole(request, std::move(body));
}

}  // namespace spaktok::media::hls
