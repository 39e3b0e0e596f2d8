#include "http/response_writer.h"

#include <array>

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include "http/compression.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace {

constexpr std::size_t compress_bytes_min = 1024;  // below, a packet is a packet
constexpr std::size_t compress_bytes_max =
    4 * 1024 * 1024;  // beyond, the I/O thread would be held for too long

std::size_t body_size(const Response& response) {
    if (response.shared_body.empty()) return response.body.size();
    std::size_t size = 0;
    for (const auto& part : response.shared_body)
        size += part.length;
    return size;
}

// Weak comparison (RFC 9110, 8.8.3.2).
std::string_view opaque_tag(std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
}

bool matches_any(std::string_view list, std::string_view etag) {
    if (trim(list) == "*") return true;
    while (!list.empty()) {
        const auto end = list.find(',');
        if (opaque_tag(trim(list.substr(0, end))) == opaque_tag(etag)) return true;
        list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
    }
    return false;
}

void clear_body(Response& response) {
    response.body.clear();
    response.shared_body.clear();
}

bool became_not_modified(const Request& request, Response& response) {
    if (request.method != Method::get && request.method != Method::head) return false;
    if (response.status != 200 && response.status != 206) return false;
    const auto asked = request.headers.get("If-None-Match");
    const auto etag = response.headers.get("ETag");
    if (!asked || !etag || !matches_any(*asked, *etag)) return false;
    response.status = 304;
    clear_body(response);
    for (const auto* name : {"Content-Type", "Content-Range", "Content-Encoding"})
        response.headers.remove(name);
    return true;
}

// A part of something else than what the client has would be glued to the wrong bytes.
void judge_if_range(const Request& request, Response& response) {
    if (response.status != 206 || response.shared_body.size() != 1) return;
    const auto validator = request.headers.get("If-Range");
    if (!validator) return;
    const auto etag = response.headers.get("ETag");
    const auto modified = response.headers.get("Last-Modified");
    const bool same = (etag && !etag->starts_with("W/") && trim(*validator) == *etag) ||
                      (modified && trim(*validator) == *modified);
    if (same) return;
    auto& part = response.shared_body.front();
    part.offset = 0;
    part.length = part.size_of_whole();
    response.status = 200;
    response.headers.remove("Content-Range");
}

bool is_text(std::string_view content_type) {
    const auto type = trim(content_type.substr(0, content_type.find(';')));
    return starts_ignoring_case(type, "text/") || equals_ignoring_case(type, "application/json") ||
           type.ends_with("+json") || type.ends_with("+xml") ||
           equals_ignoring_case(type, "application/xml") ||
           equals_ignoring_case(type, "application/javascript") ||
           equals_ignoring_case(type, "application/yaml") ||
           equals_ignoring_case(type, "application/vnd.apple.mpegurl");
}

void compress(const Request& request, Response& response) {
    if (!response.shared_body.empty() || response.status == 206) return;
    if (response.body.size() < compress_bytes_min || response.body.size() > compress_bytes_max) return;
    if (response.headers.has("Content-Encoding")) return;
    if (!is_text(response.headers.get("Content-Type").value_or(""))) return;
    if (!list_has(response.headers.get("Vary").value_or(""), "Accept-Encoding"))
        response.headers.add("Vary", "Accept-Encoding");
    if (accepted_weight(request.headers.get("Accept-Encoding").value_or(""), "gzip") == 0) return;
    auto compressed = gzip(response.body);
    if (compressed.size() >= response.body.size()) return;
    response.body = std::move(compressed);
    response.headers.add("Content-Encoding", "gzip");
    // Other bytes under the same strong tag would be a lie (RFC 9110, 8.8.3.3).
    if (const auto etag = response.headers.get("ETag"); etag && !etag->starts_with("W/")) {
        response.headers.set("ETag", "W/" + std::string(*etag));
    }
}

void append_status_line(std::string& text, unsigned status, bool http_1_1) {
    if (status == 200 && http_1_1) {
        text += "HTTP/1.1 200 OK\r\n";
        return;
    }
    // The server's version, whatever the request's was, says what the server can (RFC 9110, 2.5); the message
    // itself suits both.
    text += "HTTP/1.1 ";
    fmt::format_to(std::back_inserter(text), "{} ", status);
    text += reason_phrase(status);
    text += "\r\n";
}

// What a handler put into a header must not end the line: a control character becomes a space.
void append_value(std::string& text, std::string_view value) {
    const auto begin = text.size();
    text += value;
    for (auto i = begin; i < text.size(); ++i) {
        if (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\t') text[i] = ' ';
    }
}

void append_field(std::string& text, std::string_view name, std::string_view value) {
    text += name;
    text += ": ";
    append_value(text, value);
    text += "\r\n";
}

}  // namespace

std::string_view reason_phrase(unsigned status) {
    const auto phrase = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
    return {phrase.data(), phrase.size()};
}

std::string imf_fixdate(std::chrono::sys_seconds at) {
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(at - day);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                       days[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                       months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

void finish_response(const Request& request, Response& response) {
    if (became_not_modified(request, response)) return;
    judge_if_range(request, response);
    compress(request, response);
}

void write_response(Output& output, Response&& response, const HeadOptions& options) {
    const bool has_body = response.status >= 200 && response.status != 204 && response.status != 304;
    auto& text = output.text();
    append_status_line(text, response.status, options.http_1_1);
    text += "Date: ";
    text += options.date;
    text += "\r\n";
    response.headers.for_each([&](std::string_view name, std::string_view value) {
        // Framing is the server's own business.
        if (equals_ignoring_case(name, "Content-Length") || equals_ignoring_case(name, "Connection")) return;
        append_field(text, name, value);
    });
    if (has_body) fmt::format_to(std::back_inserter(text), "Content-Length: {}\r\n", body_size(response));
    append_field(text, "X-Request-Id", options.request_id);
    if (!response.headers.has("Referrer-Policy"))
        text += "Referrer-Policy: strict-origin-when-cross-origin\r\n";
    text += "X-Content-Type-Options: nosniff\r\n";
    if (!options.keep_alive) {
        text += "Connection: close\r\n";
    } else if (!options.http_1_1) {
        text += "Connection: keep-alive\r\n";
    }
    text += "\r\n";
    output.text_written();
    if (!has_body || options.omit_body) return;
    if (response.shared_body.empty()) return output.add(std::move(response.body));
    for (const auto& part : response.shared_body)
        output.add(part);
}

}  // namespace spaktok::http
