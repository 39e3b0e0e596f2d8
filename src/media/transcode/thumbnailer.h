// Pictures that follow a live stream, made by ffmpeg in a limited process.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "base/uuid.h"
#include "engines/blob/blob_store.h"
#include "media/hls/window.h"

namespace spaktok::media {

// One for all streams; its coroutines run on any I/O thread. Options and references outlive them.
class Thumbnailer {
  public:
    struct Options {
        std::chrono::milliseconds interval{10'000};
        std::string ffmpeg = "ffmpeg";
        int width = 640;
        int at_once_max = 2;  // decoders beside the server, whatever the number of streams
    };
    // The blobs of a stream that exist: the newest, and the one before it, which pages may still show.
    struct Keys {
        std::string newest;
        std::string older;
    };
    Thumbnailer(Options options, blob::BlobStore& blobs, const Clock& clock);

    // Until the window ends: every interval, where there is a new keyframe, a new picture is stored as
    // thumbnails/<stream>/<unix milliseconds>.jpg and announced. A picture that cannot be made is logged and
    // left out. What `announce` throws is logged.
    using Announce = std::function<boost::asio::awaitable<void>(std::string key)>;
    boost::asio::awaitable<void> follow(StreamId stream, std::shared_ptr<hls::Window> window, Keys& keys,
                                        Announce announce);

    // The keyframe as a JPEG. Throws Error{unavailable} or {unsupported_media}.
    boost::asio::awaitable<std::string> make(hls::Window::Picture picture);
    int running() const { return running_.load(); }

  private:
    boost::asio::awaitable<bool> renew(StreamId stream, hls::Window::Picture picture, Keys& keys,
                                       const Announce& announce);
    boost::asio::awaitable<void> remove(std::string key);
    bool take_place();

    const Options options_;
    blob::BlobStore& blobs_;
    const Clock& clock_;
    std::atomic<int> running_{0};
};

}  // namespace spaktok::media
