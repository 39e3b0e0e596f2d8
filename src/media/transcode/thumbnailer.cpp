#include "media/transcode/thumbnailer.h"

#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "base/log.h"
#include "media/transcode/limited_process.h"

namespace spaktok::media {

namespace asio = boost::asio;

namespace {

// All decoders busy, or nothing to show yet: look again soon.
constexpr std::chrono::milliseconds look_again{500};
// 640 pixels wide a JPEG has some 40 KiB; a megabyte is something else.
constexpr std::size_t jpeg_bytes_max = 1u << 20;

asio::awaitable<void> pause(std::chrono::milliseconds duration) {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
}

std::vector<std::string> command(const std::string& ffmpeg, int width) {
    return {ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error",
            // Only what the muxer makes: no protocol but the pipe, no other container, no other decoder.
            "-protocol_whitelist", "pipe", "-format_whitelist", "mov", "-codec_whitelist",
            "h264,hevc,libdav1d,av1", "-threads", "1", "-f", "mov", "-i", "pipe:0", "-map", "0:v:0",
            "-frames:v", "1", "-an", "-vf", fmt::format("scale={}:-2", width), "-filter_threads", "1",
            "-threads", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "5", "-f", "image2pipe",
            "-protocol_whitelist", "pipe", "pipe:1"};
}

}  // namespace

Thumbnailer::Thumbnailer(Options options, blob::BlobStore& blobs, const Clock& clock)
    : options_(std::move(options)), blobs_(blobs), clock_(clock) {}

bool Thumbnailer::take_place() {
    if (running_.fetch_add(1) < options_.at_once_max) return true;
    --running_;
    return false;
}

asio::awaitable<std::string> Thumbnailer::make(hls::Window::Picture picture) {
    LimitedProcess::Options options{.argv = command(options_.ffmpeg, options_.width),
                                    .input = *picture.init + picture.part.text(),
                                    .output_bytes_max = jpeg_bytes_max,
                                    .deadline = std::chrono::seconds(8),
                                    .cpu_max = std::chrono::seconds(4)};
    auto result = co_await LimitedProcess::run(std::move(options));
    if (!result.succeeded() || !result.output.starts_with("\xFF\xD8")) {
        throw Error(ErrorCode::unsupported_media, "No picture could be made of this stream.",
                    {.detail = fmt::format("ffmpeg ended with {}: {}", result.exit_code, result.error_tail)});
    }
    co_return std::move(result.output);
}

asio::awaitable<void> Thumbnailer::follow(StreamId stream, std::shared_ptr<hls::Window> window, Keys& keys,
                                          Announce announce) {
    std::optional<http::BodyPart> shown;
    while (!window->ended()) {
        auto picture = window->newest_picture();
        if (!picture || picture->part == shown || !take_place()) {
            co_await pause(std::min(look_again, options_.interval));
            continue;
        }
        struct Place {
            std::atomic<int>& running;
            ~Place() { --running; }
        };
        {
            const Place place{running_};
            shown = picture->part;
            // What failed on a busy machine is tried again, even where no newer picture has come.
            if (!co_await renew(stream, std::move(*picture), keys, announce)) shown.reset();
        }
        co_await pause(options_.interval);
    }
    // The last picture stays with the ended stream.
    if (!keys.older.empty()) co_await remove(std::exchange(keys.older, {}));
}

asio::awaitable<bool> Thumbnailer::renew(StreamId stream, hls::Window::Picture picture, Keys& keys,
                                         const Announce& announce) {
    try {
        auto jpeg = co_await make(std::move(picture));
        auto key =
            fmt::format("thumbnails/{}/{}.jpg", stream.to_string(), to_unix_milliseconds(clock_.now()));
        co_await blobs_.put(key, std::move(jpeg), "image/jpeg");
        const auto oldest = std::exchange(keys.older, std::exchange(keys.newest, key));
        co_await announce(key);
        if (!oldest.empty()) co_await remove(oldest);
        co_return true;
    } catch (const Error& error) {
        log::warning(
            "no thumbnail",
            {{"stream", stream.to_string()}, {"error", error.message()}, {"detail", error.detail()}});
        co_return false;
    }
}

asio::awaitable<void> Thumbnailer::remove(std::string key) {
    try {
        co_await blobs_.remove(key);
    } catch (const Error& error) {
        log::warning("old thumbnail stays", {{"key", key}, {"detail", error.detail()}});
    }
}

}  // namespace spaktok::media
