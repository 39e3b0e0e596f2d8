// The people of the demo while it runs: each watches a broadcast, and they talk at a human pace.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "app/demo/client.h"
#include "app/demo/script.h"
#include "base/uuid.h"

namespace spaktok::demo {

// Has a thread of its own, which ends with it.
class Audience {
  public:
    struct Options {
        ServerAddress server;
        std::function<std::string(std::string_view username)> password_of;
        // What the host of a show broadcasts now. Called on the audience's thread.
        std::function<boost::asio::awaitable<std::optional<StreamId>>(std::string_view host)> live_stream_of;
        // Sends some gift from one of us to a stream. Called on the audience's thread.
        std::function<boost::asio::awaitable<void>(std::string_view username, StreamId stream)> give;
    };
    explicit Audience(Options options);
    ~Audience();
    Audience(const Audience&) = delete;
    Audience& operator=(const Audience&) = delete;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::demo
