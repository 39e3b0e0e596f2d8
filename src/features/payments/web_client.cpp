#include "features/payments/web_client.h"

#include <memory>

#include <curl/curl.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/hex.h"

namespace spaktok::payments {

namespace asio = boost::asio;

namespace {

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

void start_libcurl() {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    SPAKTOK_ASSERT(started == CURLE_OK);
}

Error no_answer(const char* detail) {
    return Error(ErrorCode::unavailable, "Another service does not answer. Try again in a moment.",
                 {.detail = detail, .retry_after = std::chrono::seconds(5)});
}

struct Received {
    std::string body;
    std::size_t bytes_max;
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* to) {
    auto& received = *static_cast<Received*>(to);
    if (size * count > received.bytes_max - received.body.size()) return 0;  // ends the transfer
    received.body.append(bytes, size * count);
    return size * count;
}

WebAnswer perform(const WebRequest& request, const WebClient::Options& options) {
    const std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
    SPAKTOK_ASSERT(easy != nullptr);
    const auto set = [&easy](CURLoption option, auto value) {
        const auto code = curl_easy_setopt(easy.get(), option, value);
        SPAKTOK_ASSERT(code == CURLE_OK);
    };
    std::unique_ptr<curl_slist, FreeList> lines;
    for (const auto& [name, value] : request.headers)
        lines.reset(curl_slist_append(lines.release(), (name + ": " + value).c_str()));
    Received received{.body = {}, .bytes_max = request.answer_bytes_max};
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");  // the settings say where to go, not the environment
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options.timeout.count()));
    set(CURLOPT_HTTPHEADER, lines.get());
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&received));
    if (request.method == "POST") {
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        set(CURLOPT_POSTFIELDS, request.body.c_str());
    }
    const auto outcome = curl_easy_perform(easy.get());
    if (outcome != CURLE_OK) throw no_answer(curl_easy_strerror(outcome));
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return {.status = static_cast<int>(status), .body = std::move(received.body)};
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void append_escaped(std::string& text, std::string_view value) {
    for (const char c : value) {
        if (is_unreserved(c)) {
            text += c;
        } else {
            text += '%';
            hex::append_byte(text, static_cast<std::uint8_t>(c));
        }
    }
}

}  // namespace

WebClient::WebClient(Options options)
    : options_(options),
      pool_({.name = "web", .threads = options.threads, .queue_jobs_max = options.waiting_max}) {
    start_libcurl();
}

asio::awaitable<WebAnswer> WebClient::send(WebRequest request) {
    // Shared: the pool's thread may let go of the job last.
    const auto shared = std::make_shared<const WebRequest>(std::move(request));
    co_return co_await pool_.run([shared, options = options_] { return perform(*shared, options); });
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string text;
    for (const auto& [name, value] : fields) {
        if (!text.empty()) text += '&';
        append_escaped(text, name);
        text += '=';
        append_escaped(text, value);
    }
    return text;
}

}  // namespace spaktok::payments
