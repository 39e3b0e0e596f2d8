// Parses one request from bytes that come in any pieces. No I/O here: Boost.Beast's parser, fed by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "http/request.h"

namespace spaktok::http {

// Why a request cannot be served, in HTTP's own terms (what the program's ErrorCode has no word for).
struct Refusal {
    unsigned status;
    std::string_view reason;  // "/problems/<reason>"
    std::string_view detail;
};

// Writes into the Request as it parses, so that nothing is stored twice. Used once.
class RequestReader : private boost::beast::http::basic_parser<true> {
  public:
    // More fields than this are refused (431): browsers send about 20, and each costs time wherever headers
    // are looked up.
    static constexpr std::size_t fields_max = 100;
    // A target longer than this is refused (414).
    static constexpr std::size_t target_bytes_max = 8 * 1024;

    // The request outlives the reader.
    RequestReader(Request& request, std::size_t header_bytes_max);

    // Returns how many bytes were taken. Stops after the header (`has_head`), so that the caller can judge
    // before the body is read, and at the end of the message. Bytes that were not taken are handed in again,
    // followed by what came after them.
    std::size_t feed(std::string_view bytes);

    bool has_head() const { return has_head_; }
    bool is_complete() const { return has_head_ && is_done(); }
    const std::optional<Refusal>& refusal() const { return refusal_; }

    // From here on only where `has_head`.
    const std::string& raw_path() const { return raw_path_; }  // still percent-encoded, without the query
    bool has_body() const { return !is_done(); }
    std::optional<std::uint64_t> body_length() const;  // Content-Length; nullopt where the body is chunked
    bool keeps_alive() const { return keep_alive(); }
    bool is_http_1_1() const { return version_ == 11; }
    bool wants_upgrade() const { return upgrade(); }
    bool expects_continue() const { return expects_continue_; }
    // Before the body is fed. A longer body is refused (413).
    void limit_body(std::size_t bytes_max) { body_bytes_max_ = bytes_max; }
    // Counts the body and throws it away.
    void discard_body() { discards_body_ = true; }
    std::uint64_t body_bytes_read() const { return body_bytes_; }

  private:
    using Code = boost::beast::error_code;
    using View = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb verb, View method, View target, int version,
                         Code& error) override;
    void on_field_impl(boost::beast::http::field name, View name_text, View value, Code& error) override;
    void on_header_impl(Code& error) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, Code& error) override;
    std::size_t on_body_impl(View body, Code& error) override;
    void on_chunk_header_impl(std::uint64_t size, View extensions, Code& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t remain, View body, Code& error) override;
    void on_finish_impl(Code& error) override;
    void on_response_impl(int, View, int, Code&) override {}

    void feed_once(std::string_view bytes, std::size_t& used);
    void refuse(unsigned status, std::string_view reason, std::string_view detail);
    void refuse_syntax(const Code& error, std::string_view bytes);
    void take_target(std::string_view target);
    void judge_head();
    std::size_t take_body(std::string_view bytes, Code& error);

    Request& request_;
    std::size_t header_bytes_max_;
    std::size_t body_bytes_max_ = 0;
    std::size_t header_bytes_ = 0;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t raw_body_bytes_ = 0;
    std::string raw_path_;
    std::optional<Refusal> refusal_;
    int version_ = 0;
    bool has_head_ = false;
    bool in_header_ = true;
    bool known_method_ = true;
    bool discards_body_ = false;
    bool expects_continue_ = false;
};

}  // namespace spaktok::http
