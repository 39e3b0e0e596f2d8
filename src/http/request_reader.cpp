#include "http/request_reader.h"

#include <algorithm>

#include <boost/beast/http/error.hpp>

#include "http/syntax.h"

namespace spaktok::http {

namespace beast_http = boost::beast::http;

namespace {

// Chunks of one byte with long extensions would make a small body arbitrarily long on the wire. Six bytes
// around a byte is the worst that an honest sender can do.
constexpr std::uint64_t chunk_overhead_factor = 8;
constexpr std::uint64_t chunk_overhead_bytes = 16 * 1024;

std::optional<Method> known_method(beast_http::verb verb) {
    switch (verb) {
        case beast_http::verb::get:
            return Method::get;
        case beast_http::verb::head:
            return Method::head;
        case beast_http::verb::post:
            return Method::post;
        case beast_http::verb::put:
            return Method::put;
        case beast_http::verb::patch:
            return Method::patch;
        case beast_http::verb::delete_:
            return Method::delete_;
        case beast_http::verb::options:
            return Method::options;
        default:
            return std::nullopt;
    }
}

// A request line that ends in a version of the right form, which is only not ours.
bool names_other_version(std::string_view bytes) {
    auto line = bytes.substr(0, bytes.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() < 9) return false;
    const auto version = line.substr(line.size() - 9);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version == " HTTP/1.1" || version == " HTTP/1.0")
        return false;  // the version is ours, the line is not right
    return version.starts_with(" HTTP/") && is_digit(version[6]) && version[7] == '.' && is_digit(version[8]);
}

bool is_host(std::string_view host) {
    return std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-._~[]:%!$&'()*+,;=").find(c) != std::string_view::npos;
    });
}

}  // namespace

RequestReader::RequestReader(Request& request, std::size_t header_bytes_max)
    : request_(request), header_bytes_max_(header_bytes_max) {
    // Both limits are kept here: Beast's for the header begins anew with every piece, and the body's is known
    // only when the route is.
    header_limit(UINT32_MAX);
    body_limit(boost::none);
}

std::size_t RequestReader::feed(std::string_view bytes) {
    std::size_t used = 0;
    const bool had_head = has_head_;
    // Empty lines before the request line are skipped (RFC 9112, 2.2); they count as header.
    while (!got_some() && bytes.substr(used).starts_with("\r\n") && header_bytes_ < header_bytes_max_) {
        used += 2;
        header_bytes_ += 2;
    }
    if (!got_some() && bytes.substr(used) == "\r") return used;
    while (!refusal_ && used < bytes.size() && !is_done()) {
        const auto before = used;
        feed_once(bytes.substr(used), used);
        if (has_head_ && !had_head) break;
        if (used == before) break;  // needs more
    }
    return used;
}

void RequestReader::feed_once(std::string_view bytes, std::size_t& used) {
    Code error;
    const auto taken = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    used += taken;
    const auto left = bytes.size() - taken;
    const bool needs_more = error == beast_http::error::need_more;
    if (!has_head_) {
        header_bytes_ += taken;
        const bool head_ends = !error && is_header_done();
        if (header_bytes_ + (head_ends ? 0 : left) > header_bytes_max_) {
            return refuse(431, "header_too_large", "The request's header is too large.");
        }
        if (head_ends) {
            has_head_ = true;
            return judge_head();
        }
    } else {
        raw_body_bytes_ += taken;
        // What is kept for the next piece is one chunk's header or the trailer.
        if (needs_more && left > header_bytes_max_) {
            return refuse(400, "invalid_request", "A chunk's header or the trailer is too large.");
        }
        if (raw_body_bytes_ > body_bytes_ * chunk_overhead_factor + chunk_overhead_bytes) {
            return refuse(400, "invalid_request", "The chunks have too little in them.");
        }
    }
    if (error && !needs_more && !refusal_) refuse_syntax(error, bytes);
}

void RequestReader::refuse(unsigned status, std::string_view reason, std::string_view detail) {
    refusal_ = Refusal{status, reason, detail};
}

void RequestReader::refuse_syntax(const Code& error, std::string_view bytes) {
    if (error == beast_http::error::bad_version && names_other_version(bytes)) {
        return refuse(505, "http_version_not_supported", "This server speaks HTTP/1.1.");
    }
    refuse(400, "invalid_request", "This is not a valid HTTP/1.1 request.");
}

void RequestReader::on_request_impl(beast_http::verb verb, View, View target, int version, Code&) {
    const auto method = known_method(verb);
    known_method_ = method.has_value();
    if (method) request_.method = *method;
    version_ = version;
    take_target(std::string_view(target.data(), target.size()));
}

void RequestReader::take_target(std::string_view target) {
    if (target.size() > target_bytes_max)
        return refuse(414, "uri_too_long", "The request's target is too long.");
    // A proxy may send the absolute form (RFC 9112, 3.2.2).
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!starts_ignoring_case(target, scheme)) continue;
        const auto path = target.find_first_of("/?", scheme.size());
        target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
        break;
    }
    const auto query = target.find('?');
    raw_path_.assign(target.substr(0, query));
    if (query != std::string_view::npos) request_.raw_query.assign(target.substr(query + 1));
}

void RequestReader::on_field_impl(beast_http::field, View name, View value, Code&) {
    if (!in_header_)
        return;  // a trailer's fields are not merged: none is needed, and a late `Authorization` is an attack
    if (request_.headers.size() >= fields_max) {
        if (!refusal_) refuse(431, "too_many_headers", "The request has too many header fields.");
        return;
    }
    request_.headers.add({name.data(), name.size()}, {value.data(), value.size()});
}

void RequestReader::on_header_impl(Code&) {
    in_header_ = false;
}

void RequestReader::judge_head() {
    if (refusal_) return;
    const auto& headers = request_.headers;
    const auto hosts = headers.count("Host");
    if (hosts > 1 || (hosts == 0 && version_ == 11) || !is_host(headers.get("Host").value_or(""))) {
        return refuse(400, "invalid_host", "The request needs exactly one valid Host.");
    }
    // Anything but plain `chunked` would leave the message's end to guessing, which is how requests are
    // smuggled past a proxy (RFC 9112, 6.1).
    if (const auto encoding = headers.get("Transfer-Encoding")) {
        if (version_ != 11 || !equals_ignoring_case(trim(*encoding), "chunked")) {
            return refuse(version_ == 11 ? 501 : 400, "unknown_transfer_encoding",
                          "The only transfer encoding is chunked.");
        }
    }
    if (!known_method_) return refuse(501, "unknown_method", "This method is not known here.");
    if (!raw_path_.starts_with('/')) return refuse(400, "invalid_path", "The path must begin with a slash.");
    auto path = percent_decode(raw_path_);
    if (!path) return refuse(400, "invalid_path", "The path is not text in UTF-8, percent-encoded.");
    request_.path = std::move(*path);
    if (const auto expectation = headers.get("Expect"); expectation && version_ == 11) {
        if (!equals_ignoring_case(trim(*expectation), "100-continue")) {
            return refuse(417, "unknown_expectation", "The only expectation that is known is 100-continue.");
        }
        expects_continue_ = true;
    }
}

std::optional<std::uint64_t> RequestReader::body_length() const {
    const auto length = content_length();
    if (!length) return std::nullopt;
    return *length;
}

void RequestReader::on_body_init_impl(const boost::optional<std::uint64_t>& length, Code&) {
    // What was announced is reserved only up to what costs nothing to lie about.
    if (length && !discards_body_)
        request_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, 64 * 1024)));
}

std::size_t RequestReader::take_body(std::string_view bytes, Code& error) {
    if (bytes.size() > body_bytes_max_ - body_bytes_) {
        refuse(413, "payload_too_large", "The body is too large.");
        error = beast_http::error::body_limit;
        return 0;
    }
    body_bytes_ += bytes.size();
    if (!discards_body_) request_.body.append(bytes);
    return bytes.size();
}

std::size_t RequestReader::on_body_impl(View body, Code& error) {
    return take_body({body.data(), body.size()}, error);
}
void RequestReader::on_chunk_header_impl(std::uint64_t size, View, Code& error) {
    if (size <= body_bytes_max_ - body_bytes_) return;
    refuse(413, "payload_too_large", "The body is too large.");
    error = beast_http::error::body_limit;
}
std::size_t RequestReader::on_chunk_body_impl(std::uint64_t, View body, Code& error) {
    return take_body({body.data(), body.size()}, error);
}
void RequestReader::on_finish_impl(Code&) {}

}  // namespace spaktok::http
