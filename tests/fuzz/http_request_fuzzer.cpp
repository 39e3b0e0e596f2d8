// Foreign bytes into the HTTP request parser, the router's decoding and the header grammars: no crash, no
// limit passed, and the same request whether the bytes come at once or cut as the input's first byte says.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>

#include "http/byte_range.h"
#include "http/request_reader.h"
#include "http/router.h"
#include "http/syntax.h"

namespace {

using spaktok::http::Request;
using spaktok::http::RequestReader;

constexpr std::size_t header_bytes_max = 512;
constexpr std::size_t body_bytes_max = 256;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Outcome {
    Request request;
    unsigned refused = 0;
    bool complete = false;
    std::size_t used = 0;
};

Outcome read(std::string_view bytes, std::size_t step) {
    Outcome outcome;
    RequestReader reader(outcome.request, header_bytes_max);
    std::string kept;
    for (std::size_t begin = 0; begin < bytes.size() && !reader.refusal() && !reader.is_complete();
         begin += step) {
        kept.append(bytes.substr(begin, step));
        while (!kept.empty() && !reader.refusal() && !reader.is_complete()) {
            const bool had_head = reader.has_head();
            const auto used = reader.feed(kept);
            require(used <= kept.size());
            outcome.used += used;
            kept.erase(0, used);
            if (reader.has_head() && !had_head) {
                reader.limit_body(body_bytes_max);
            } else if (used == 0) {
                break;
            }
        }
        require(reader.refusal() || reader.is_complete() || kept.size() <= header_bytes_max + step);
    }
    outcome.complete = reader.is_complete() && !reader.refusal();
    if (reader.refusal()) outcome.refused = reader.refusal()->status;
    require(outcome.request.body.size() <= body_bytes_max);
    return outcome;
}

void check_request(const Request& request) {
    require(request.path.starts_with('/') && spaktok::http::is_utf8(request.path));
    require(request.path.find('\0') == std::string::npos);
    try {
        request.query("a");
    } catch (const spaktok::Error&) {
        // a query that is not UTF-8
    }
    request.headers.for_each([](std::string_view, std::string_view value) {
        const auto range = spaktok::http::parse_range(value, 100);
        require(!range || range->length == 0 || range->offset + range->length <= 100);
        const auto weight = spaktok::http::accepted_weight(value, "gzip");
        require(weight >= 0 && weight <= 1000);
    });
}

void check_routes(std::string_view path) {
    static const spaktok::http::Router& router = [&]() -> const spaktok::http::Router& {
        static spaktok::http::Router made;
        const spaktok::http::Handler nothing =
            [](Request&) -> boost::asio::awaitable<spaktok::http::Response> {
            co_return spaktok::http::Response{};
        };
        made.add(spaktok::http::Method::get, "/a/{x}/b", {}, nothing);
        made.add(spaktok::http::Method::get, "/a/{rest...}", {}, nothing);
        return made;
    }();
    const auto match = router.find(spaktok::http::Method::get, path);
    for (const auto& [name, value] : match.params) {
        require(!value.empty() && spaktok::http::is_utf8(value));
        require(name != "rest" || ("/" + value + "/").find("/../") == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto whole = read(bytes, bytes.size());
    const auto cut = read(bytes, 1 + data[0] % 64);
    // A refusal may come earlier where more is known, but never a request where the other way saw none.
    require(whole.complete == cut.complete);
    if (whole.complete) {
        require(whole.used == cut.used && whole.request.body == cut.request.body);
        require(whole.request.path == cut.request.path &&
                whole.request.headers.all() == cut.request.headers.all());
        check_request(whole.request);
    }
    check_routes(bytes);
    return 0;
}
