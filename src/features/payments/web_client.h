// Requests to other companies' servers, by libcurl on threads of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/worker_pool.h"

namespace spaktok::payments {

struct WebRequest {
    std::string method;  // GET or POST
    std::string url;     // http or https
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};
    std::size_t answer_bytes_max = 256 * 1024;
};

struct WebAnswer {
    int status = 0;
    std::string body;
};

// Thread-safe. Redirects are not followed; the environment's proxies are not used.
class WebClient {
  public:
    struct Options {
        std::size_t threads = 4;
        std::size_t waiting_max = 100;
        std::chrono::milliseconds connect_timeout{5'000};
        std::chrono::milliseconds timeout{20'000};
    };
    WebClient() : WebClient(Options{}) {}
    explicit WebClient(Options options);

    // Any answer. Throws Error{unavailable} where there is none in time, it is too large, or too many wait. A
    // caller that is cancelled still waits.
    boost::asio::awaitable<WebAnswer> send(WebRequest request);

  private:
    Options options_;
    WorkerPool pool_;
};

// Of a form (application/x-www-form-urlencoded).
std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace spaktok::payments
