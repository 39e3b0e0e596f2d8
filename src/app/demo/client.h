// One person of the demo at their screen: signs in and speaks over the realtime protocol as any program does
// (api/realtime.md), so that they count as viewers and are held to the same limits.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/json.h"

namespace spaktok::demo {

struct ServerAddress {
    std::string host;
    std::uint16_t port = 0;
};
// How this machine reaches what listens on `listen` ("0.0.0.0:8080"), with the port that was taken.
ServerAddress reachable(const std::string& listen, std::uint16_t port);

// Lives on one thread.
class Client {
  public:
    struct Options {
        ServerAddress server;
        std::string username;
        std::string password;
        // Hears every event of the topics joined.
        std::function<void(const json::Object&)> on_event;
    };
    Client(boost::asio::any_io_executor executor, Options options);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Signs in, connects, listens; comes back after a loss. Until cancelled.
    boost::asio::awaitable<void> run();

    // Watches the stream and its chat; again: nothing happens. False where that did not work.
    boost::asio::awaitable<bool> join(std::string stream);
    // The message's id; nullopt where it was not taken.
    boost::asio::awaitable<std::optional<std::string>> say(std::string room, std::string content,
                                                           std::optional<std::string> reply_to);
    boost::asio::awaitable<void> react(std::string stream, std::string kind);

    const std::string& username() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok::demo
