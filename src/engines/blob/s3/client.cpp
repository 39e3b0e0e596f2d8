#include "engines/blob/s3/client.h"

#include <algorithm>
#include <map>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/log.h"

namespace spaktok::blob::s3 {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t header_bytes_max = 32 * 1024;
// How often deadlines are looked at while there are any.
constexpr milliseconds poll_max{250};
constexpr milliseconds idle_poll_max{60'000};

struct OperationMetrics {
    metrics::Counter requests;
    metrics::Counter errors;
    metrics::Histogram seconds;
};

OperationMetrics metrics_of(const char* operation) {
    const metrics::Labels labels{{"operation", operation}};
    return {.requests = metrics::counter("spaktok_s3_requests_total", "Requests to the S3 server.", labels),
            .errors = metrics::counter("spaktok_s3_request_errors_total",
                                       "Requests that got no answer, or were refused.", labels),
            .seconds = metrics::histogram("spaktok_s3_request_seconds",
                                          "Time of a request with its queue and its retries.", labels)};
}

// Each looked up once.
const OperationMetrics& shared_metrics_of(const char* operation) {
    static std::mutex mutex;
    static std::map<std::string_view, OperationMetrics> all;
    const std::scoped_lock lock(mutex);
    const auto found = all.find(operation);
    return found != all.end() ? found->second : all.emplace(operation, metrics_of(operation)).first->second;
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: the server's trouble, not the
// request's.
bool is_trouble(int status) {
    return status >= 500 || status == 429 || status == 408;
}

// Not where there is no such blob, or no such range of it: these are answers.
bool is_refusal(int status) {
    return status >= 300 && status != 404 && status != 416;
}

// Whether it is the server that is gone, rather than one connection to it.
bool is_outage(CURLcode code) {
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_OPERATION_TIMEDOUT;
}

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return "";
    return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first));
}

void take_header(std::string_view line, Answer& answer) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name = trimmed(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    answer.headers[std::move(name)] = trimmed(line.substr(colon + 1));
}

Error busy(const std::string& host) {
    return Error(ErrorCode::unavailable, "The server is busy. Try again in a moment.",
                 {.reason = "busy",
                  .detail = "too many requests wait for " + host,
                  .retry_after = std::chrono::seconds(1)});
}

Error too_large(const Request& request) {
    return Error(ErrorCode::payload_too_large, "This file is too large.",
                 {.detail = fmt::format("{}: more than {} bytes", request.path, request.answer_bytes_max)});
}

void start_libcurl() {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    SPAKTOK_ASSERT(started == CURLE_OK);
}

}  // namespace

Error unavailable(std::string detail) {
    return Error(ErrorCode::unavailable, "The files are not available at the moment.",
                 {.detail = std::move(detail), .retry_after = std::chrono::seconds(1)});
}

// One attempt. Lives in the caller's frame, who is parked while the thread has it.
class Client::Transfer {
  public:
    explicit Transfer(const Request& what) : request(what) {}
    ~Transfer() {
        curl_easy_cleanup(easy_);
        curl_slist_free_all(lines_);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    CURL* prepare(const Address& address, const ClientLimits& limits);
    CURL* handle() const { return easy_; }
    // For how long no byte of a body has come or gone.
    steady_clock::duration silence(steady_clock::time_point now);

    const Request& request;
    Resume resume;
    steady_clock::time_point refused_at;  // unless it has begun by then
    Answer answer;
    CURLcode outcome = CURLE_OK;
    bool is_refused = false;
    bool is_too_large = false;

  private:
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    void prepare_body();
    void prepare_headers(const Address& address);
    template <class Value>
    void set(CURLoption option, Value value) {
        const auto code = curl_easy_setopt(easy_, option, value);
        SPAKTOK_ASSERT(code == CURLE_OK);
    }

    CURL* easy_ = nullptr;
    curl_slist* lines_ = nullptr;
    std::size_t header_bytes_ = 0;
    curl_off_t moved_bytes_ = -1;
    steady_clock::time_point moved_at_;
};

steady_clock::duration Client::Transfer::silence(steady_clock::time_point now) {
    curl_off_t sent = 0;
    curl_off_t received = 0;
    curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &received);
    if (std::exchange(moved_bytes_, sent + received) != sent + received) moved_at_ = now;
    return now - moved_at_;
}

std::size_t Client::Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    auto& body = transfer.answer.body;
    if (size * count > transfer.request.answer_bytes_max - body.size()) {
        transfer.is_too_large = true;
        return 0;  // ends the transfer
    }
    if (body.empty()) {
        curl_off_t length = 0;
        curl_easy_getinfo(transfer.easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        if (length > 0)
            body.reserve(
                std::min<std::size_t>(static_cast<std::size_t>(length), transfer.request.answer_bytes_max));
    }
    body.append(bytes, size * count);
    return size * count;
}

std::size_t Client::Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view line(bytes, size * count);
    transfer.header_bytes_ += line.size();
    if (transfer.header_bytes_ > header_bytes_max) return 0;
    if (line.starts_with("HTTP/")) transfer.answer.headers.clear();  // what follows "100 Continue"
    take_header(line, transfer.answer);
    return line.size();
}

void Client::Transfer::prepare_body() {
    if (request.method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
        return;
    }
    if (request.method == "PUT" || request.method == "POST") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void Client::Transfer::prepare_headers(const Address& address) {
    Headers headers = request.headers;
    headers["host"] = address.host;
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    sign(request.method, request.path, request.query, request.body,
         {.credentials = address.credentials, .region = address.region, .at = now}, headers);
    for (const auto& [name, value] : headers)
        lines_ = curl_slist_append(lines_, (name + ": " + value).c_str());
    // What libcurl would add on its own account: a question first, and a form's type.
    lines_ = curl_slist_append(lines_, "expect:");
    if (!headers.contains("content-type")) lines_ = curl_slist_append(lines_, "content-type:");
    set(CURLOPT_HTTPHEADER, lines_);
}

CURL* Client::Transfer::prepare(const Address& address, const ClientLimits& limits) {
    easy_ = curl_easy_init();
    SPAKTOK_ASSERT(easy_ != nullptr);
    auto url = address.scheme + "://" + address.host + escape(request.path, true);
    if (!request.query.empty()) url += "?" + query_text(request.query);
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_PROXY, "");  // the settings say where to go, not the environment
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PRIVATE, static_cast<void*>(this));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(limits.transfer_timeout.count()));
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    prepare_body();
    prepare_headers(address);
    return easy_;
}

Client::Client(Address address, ClientLimits limits)
    : address_(std::move(address)),
      limits_(limits),
      outage_(limits.connect_timeout + limits.silence_max),
      waiting_gauge_(metrics::gauge("spaktok_s3_waiting", "Requests that wait for a connection.")),
      active_gauge_(metrics::gauge("spaktok_s3_active", "Requests that are under way.")) {
    start_libcurl();
    multi_.reset(curl_multi_init());
    SPAKTOK_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(limits_.connections));
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "s3");
        run();
    });
}

Client::~Client() {
    {
        const std::scoped_lock lock(mutex_);
        is_stopping_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
}

// ---- The callers' side

asio::awaitable<Answer> Client::send(Request request) {
    const auto& measured = shared_metrics_of(request.operation);
    const auto begun = steady_clock::now();
    auto requests = measured.requests;
    auto errors = measured.errors;
    auto seconds = measured.seconds;
    requests.add();
    try {
        Answer answer = co_await send_patiently(std::move(request));
        if (is_refusal(answer.status)) errors.add();
        seconds.observe(std::chrono::duration<double>(steady_clock::now() - begun).count());
        co_return answer;
    } catch (...) {
        errors.add();
        throw;
    }
}

asio::awaitable<Answer> Client::send_patiently(Request request) {
    const auto ends_at = steady_clock::now() + limits_.patience;
    auto pause = Outage::pause_min;
    for (;;) {
        if (!outage_.admits(steady_clock::now())) throw unavailable(address_.host + " cannot be reached");
        Transfer transfer(request);
        co_await attempt(transfer);
        if (transfer.is_refused) throw busy(address_.host);
        auto again_at = steady_clock::now() + pause / 2 +
                        milliseconds(random_.below(static_cast<std::uint64_t>(pause.count() / 2)));
        again_at = std::max(again_at, learn(transfer));
        if (transfer.is_too_large) throw too_large(request);
        std::string trouble;
        if (transfer.outcome != CURLE_OK) {
            trouble = curl_easy_strerror(transfer.outcome);
        } else if (is_trouble(transfer.answer.status)) {
            trouble =
                fmt::format("status {}: {}", transfer.answer.status, transfer.answer.body.substr(0, 500));
        } else {
            co_return std::move(transfer.answer);
        }
        if (again_at > ends_at)
            throw unavailable(
                fmt::format("{} {}{}: {}", request.method, address_.host, request.path, trouble));
        asio::steady_timer timer(co_await asio::this_coro::executor, again_at);
        co_await timer.async_wait(asio::use_awaitable);
        pause = std::min(2 * pause, Outage::pause_max);
    }
}

// Returns the earliest time for another attempt.
steady_clock::time_point Client::learn(const Transfer& transfer) {
    if (transfer.outcome == CURLE_OK || transfer.is_too_large) {
        if (outage_.reached()) log::info("the S3 server is back", {{"host", address_.host}});
        return {};
    }
    // A connection that broke says nothing of the others, unless they are gone too.
    if (!is_outage(transfer.outcome) && !outage_.is_gone()) return {};
    const auto missed = outage_.missed(steady_clock::now());
    if (missed.is_first) {
        log::warning("the S3 server is gone",
                     {{"host", address_.host}, {"detail", curl_easy_strerror(transfer.outcome)}});
    }
    return missed.next_look;
}

asio::awaitable<void> Client::attempt(Transfer& transfer) {
    co_await park([&](Resume resume) {
        transfer.resume = std::move(resume);
        if (submit(transfer)) return;
        transfer.is_refused = true;
        std::exchange(transfer.resume, nullptr)();
    });
}

bool Client::submit(Transfer& transfer) {
    transfer.refused_at = steady_clock::now() + limits_.wait_max;
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.size() >= limits_.waiting_max) return false;
        waiting_.push_back(&transfer);
    }
    waiting_gauge_.add(1);
    curl_multi_wakeup(multi_.get());
    return true;
}

// ---- The thread's side

void Client::run() {
    for (;;) {
        refuse_overdue();
        start_waiting();
        int running = 0;
        curl_multi_perform(multi_.get(), &running);
        finish_done();
        end_silent();
        if (active_.empty()) {
            const std::scoped_lock lock(mutex_);
            if (is_stopping_ && waiting_.empty()) return;
        }
        bool can_start = false;
        {
            const std::scoped_lock lock(mutex_);
            can_start = !waiting_.empty() && active_.size() < limits_.connections;
        }
        const auto pause = active_.empty() ? idle_poll_max : poll_max;
        if (!can_start) curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(pause.count()), nullptr);
    }
}

void Client::start_waiting() {
    while (active_.size() < limits_.connections) {
        Transfer* next = nullptr;
        {
            const std::scoped_lock lock(mutex_);
            if (waiting_.empty()) return;
            next = waiting_.front();
            waiting_.pop_front();
        }
        waiting_gauge_.add(-1);
        active_gauge_.add(1);
        active_.push_back(next);
        curl_multi_add_handle(multi_.get(), next->prepare(address_, limits_));
    }
}

// They are in the order of their deadlines.
void Client::refuse_overdue() {
    const auto now = steady_clock::now();
    for (;;) {
        Transfer* overdue = nullptr;
        {
            const std::scoped_lock lock(mutex_);
            if (waiting_.empty() || waiting_.front()->refused_at > now) return;
            overdue = waiting_.front();
            waiting_.pop_front();
        }
        waiting_gauge_.add(-1);
        overdue->is_refused = true;
        std::exchange(overdue->resume, nullptr)();
    }
}

void Client::end_silent() {
    const auto now = steady_clock::now();
    for (Transfer* transfer : std::vector(active_)) {
        if (transfer->silence(now) > limits_.silence_max) finish(*transfer, CURLE_OPERATION_TIMEDOUT);
    }
}

void Client::finish_done() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        char* owner = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        finish(*reinterpret_cast<Transfer*>(owner), message->data.result);
    }
}

void Client::finish(Transfer& transfer, CURLcode outcome) {
    long status = 0;
    curl_easy_getinfo(transfer.handle(), CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi_.get(), transfer.handle());
    std::erase(active_, &transfer);
    active_gauge_.add(-1);
    transfer.outcome = outcome;
    transfer.answer.status = static_cast<int>(status);
    std::exchange(transfer.resume, nullptr)();  // from here on it is the caller's again
}

}  // namespace spaktok::blob::s3
