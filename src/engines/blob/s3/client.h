// Signed requests to one S3 server, by libcurl on a thread of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <curl/curl.h>

#include "base/error.h"
#include "base/metrics.h"
#include "base/park.h"
#include "base/random.h"
#include "engines/blob/s3/address.h"
#include "engines/blob/s3/outage.h"
#include "engines/blob/s3/signature.h"

namespace spaktok::blob::s3 {

struct Request {
    const char* operation = "";  // of the metrics: "put", "get", …
    std::string method;
    std::string path;  // without escapes: Address::path_of
    Query query{};
    Headers headers{};      // besides those of the signature
    std::string_view body;  // stays where it is until the answer is there
    std::size_t answer_bytes_max = 64 * 1024;
};

struct Answer {
    int status = 0;
    Headers headers;
    std::string body;
};

struct ClientLimits {
    std::size_t connections = 16;  // kept open between requests
    // Requests that wait for a connection; one more, or one that waits for longer, is refused as "busy".
    std::size_t waiting_max = 1'000;
    std::chrono::milliseconds wait_max{5'000};
    std::chrono::milliseconds connect_timeout{2'000};
    // A server that takes and gives no byte for so long is taken for gone. (libcurl's own limit of speed is
    // of a mean over seconds, which a body that has just gone into the socket's buffer keeps up.)
    std::chrono::milliseconds silence_max{8'000};
    std::chrono::milliseconds transfer_timeout{300'000};
    // What failed on its way, or with "500 InternalError" and "503 SlowDown", is tried again, with pauses
    // that double from 100 ms; no attempt begins later than this after the first. So a request ends with an
    // error after patience, wait_max and silence_max at the most, unless its bytes keep flowing.
    std::chrono::milliseconds patience{5'000};
};

// Thread-safe; callers are resumed on their own executors. Destroy it when no call is under way.
class Client {
  public:
    Client(Address address, ClientLimits limits);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Any answer whose status is not to be tried again. Throws Error{unavailable}. A caller that is cancelled
    // still waits for the answer of its attempt.
    boost::asio::awaitable<Answer> send(Request request);

    const Address& address() const { return address_; }

  private:
    class Transfer;
    struct FreeMulti {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };

    boost::asio::awaitable<Answer> send_patiently(Request request);
    boost::asio::awaitable<void> attempt(Transfer& transfer);
    bool submit(Transfer& transfer);
    std::chrono::steady_clock::time_point learn(const Transfer& transfer);
    // These are of the thread.
    void run();
    void start_waiting();
    void refuse_overdue();
    void end_silent();
    void finish_done();
    void finish(Transfer& transfer, CURLcode outcome);

    const Address address_;
    const ClientLimits limits_;
    Outage outage_;
    SystemRandom random_;
    metrics::Gauge waiting_gauge_;
    metrics::Gauge active_gauge_;
    std::unique_ptr<CURLM, FreeMulti> multi_;
    std::mutex mutex_;
    std::deque<Transfer*> waiting_;  // under the mutex, like the next
    bool is_stopping_ = false;
    std::vector<Transfer*> active_;  // of the thread
    std::thread thread_;
};

// Error{unavailable}: the detail is for the log.
Error unavailable(std::string detail);

}  // namespace spaktok::blob::s3
