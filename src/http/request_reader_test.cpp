#include "http/request_reader.h"

#include <gtest/gtest.h>

namespace spaktok::http {
namespace {

constexpr std::size_t header_max = 1024;
constexpr std::size_t body_max = 100;

struct Parsed {
    Request request;
    std::string raw_path;
    unsigned refused = 0;
    std::string_view reason;
    bool has_head = false;
    bool complete = false;
    std::size_t used = 0;
};

// As the connection does it: what was not taken is handed in again with what follows.
Parsed parse_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts) {
    Parsed parsed;
    RequestReader reader(parsed.request, header_max);
    std::string kept;
    std::size_t begin = 0;
    auto ends = cuts;
    ends.push_back(bytes.size());
    for (const auto end : ends) {
        kept.append(bytes.substr(begin, end - begin));
        begin = end;
        while (!kept.empty() && !reader.refusal() && !reader.is_complete()) {
            const bool had_head = reader.has_head();
            const auto used = reader.feed(kept);
            parsed.used += used;
            kept.erase(0, used);
            if (reader.has_head() && !had_head) {
                reader.limit_body(body_max);
                continue;
            }
            if (used == 0) break;
        }
    }
    parsed.has_head = reader.has_head();
    if (reader.has_head()) parsed.raw_path = reader.raw_path();
    parsed.complete = reader.is_complete() && !reader.refusal();
    if (reader.refusal()) {
        parsed.refused = reader.refusal()->status;
        parsed.reason = reader.refusal()->reason;
    }
    return parsed;
}
Parsed parse(std::string_view bytes) {
    return parse_in_pieces(bytes, {});
}

std::string chunked(std::string_view chunks) {
    return "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

TEST(RequestReader, takes_a_request_apart) {
    const auto parsed = parse(
        "PATCH /a%20b/c?x=1&y=%41 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Note:  two words "
        "\r\n\r\nbodyrest");
    ASSERT_TRUE(parsed.complete);
    EXPECT_EQ(parsed.request.method, Method::patch);
    EXPECT_EQ(parsed.raw_path, "/a%20b/c");
    EXPECT_EQ(parsed.request.path, "/a b/c");
    EXPECT_EQ(parsed.request.raw_query, "x=1&y=%41");
    EXPECT_EQ(parsed.request.headers.get("x-note"), "two words");
    EXPECT_EQ(parsed.request.body, "body");
}

TEST(RequestReader, parses_the_same_wherever_the_bytes_are_cut) {
    const std::vector<std::string> messages{
        "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
        "\r\n\r\nPOST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
        chunked("5\r\nhello\r\n1;ext=\"v\"\r\n \r\n5\r\nworld\r\n0\r\nTrailer: ignored\r\n\r\n"),
    };
    for (const auto& message : messages) {
        const auto whole = parse(message);
        ASSERT_TRUE(whole.complete) << message;
        for (std::size_t first = 1; first < message.size(); ++first) {
            for (std::size_t second = first; second < message.size(); second += 7) {
                const auto cut = parse_in_pieces(message, {first, second});
                ASSERT_TRUE(cut.complete) << message << first << "," << second;
                ASSERT_EQ(cut.used, message.size());
                ASSERT_EQ(cut.request.body, whole.request.body);
                ASSERT_EQ(cut.request.headers.all(), whole.request.headers.all());
                ASSERT_EQ(cut.request.path, whole.request.path);
            }
        }
        std::vector<std::size_t> every_byte;
        for (std::size_t i = 1; i < message.size(); ++i)
            every_byte.push_back(i);
        EXPECT_EQ(parse_in_pieces(message, every_byte).request.body, whole.request.body);
    }
}

TEST(RequestReader, refuses_what_is_not_a_request) {
    struct Row {
        const char* what;
        std::string bytes;
        unsigned status;
    };
    const std::string body_of_100(100, 'x');
    const std::vector<Row> rows{
        {"a TLS client hello", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
        {"a line feed alone", "GET / HTTP/1.1\nHost: h\n\n", 400},
        {"no version", "GET /\r\nHost: h\r\n\r\n", 400},
        {"a version that is none", "GET / HTTP/x\r\nHost: h\r\n\r\n", 400},
        {"HTTP/2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"a Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
        {"an unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {"TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        {"an asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"an authority", "GET example.org:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"a bad escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"a zero in the path", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"a path that is not UTF-8", "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        {"an unknown expectation", "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417},
        {"a bad length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400},
        {"a negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
        {"a length that overflows",
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {"length and chunks",
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"chunks and length",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
        {"a coding around chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         501},
        {"chunks not last", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 501},
        {"another coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", 501},
        {"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"a chunk size that is none", chunked("zz\r\n"), 400},
        {"a chunk without its end", chunked("1\r\nab\r\n0\r\n\r\n"), 400},
        {"a chunk size that overflows", chunked("fffffffffffffffff\r\n"), 400},
    };
    for (const auto& row : rows) {
        const auto parsed = parse(row.bytes);
        EXPECT_EQ(parsed.refused, row.status) << row.what;
        EXPECT_FALSE(parsed.complete) << row.what;
    }
}

TEST(RequestReader, takes_what_is_unusual_but_right) {
    EXPECT_EQ(parse("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n").raw_path, "/a");
    EXPECT_EQ(parse("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").raw_path, "/");
    EXPECT_TRUE(parse("GET / HTTP/1.0\r\n\r\n").complete);
    EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n").complete);
    EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost:\r\n\r\n").complete);
    EXPECT_EQ(parse(chunked("0\r\n\r\n")).request.body, "");
}

TEST(RequestReader, a_trailer_is_not_taken_for_a_header) {
    const auto parsed = parse(chunked("1\r\na\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n"));
    ASSERT_TRUE(parsed.complete);
    EXPECT_FALSE(parsed.request.headers.has("Authorization"));
}

std::string header_of(std::size_t bytes) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    return begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
}

TEST(RequestReader, a_header_may_have_just_as_many_bytes_as_the_limit) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{10'000}}) {
        std::vector<std::size_t> cuts;
        for (std::size_t i = piece; i < header_max; i += piece)
            cuts.push_back(i);
        EXPECT_TRUE(parse_in_pieces(header_of(header_max), cuts).complete) << piece;
        EXPECT_EQ(parse_in_pieces(header_of(header_max + 1), cuts).refused, 431u) << piece;
    }
    // Complete lines that never end are no way around it.
    std::string lines = "GET / HTTP/1.1\r\nHost: h\r\n";
    while (lines.size() <= header_max)
        lines += "A: b\r\n";
    EXPECT_EQ(parse(lines).refused, 431u);
    EXPECT_EQ(parse("GET /" + std::string(2 * header_max, 'a')).refused, 431u);
}

TEST(RequestReader, many_fields_are_counted) {
    const auto request = [](std::size_t fields) {
        std::string bytes = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (std::size_t i = 1; i < fields; ++i)
            bytes += "A:\r\n";
        return bytes + "\r\n";
    };
    EXPECT_TRUE(parse(request(RequestReader::fields_max)).complete);
    EXPECT_EQ(parse(request(RequestReader::fields_max + 1)).refused, 431u);
}

TEST(RequestReader, a_target_may_have_just_as_many_bytes_as_the_limit) {
    const auto status_of_target = [](std::size_t bytes) {
        Request request;
        RequestReader reader(request, 64 * 1024);
        reader.feed("GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n");
        return reader.refusal() ? reader.refusal()->status : 0u;
    };
    EXPECT_EQ(status_of_target(RequestReader::target_bytes_max), 0u);
    EXPECT_EQ(status_of_target(RequestReader::target_bytes_max + 1), 414u);
}

TEST(RequestReader, a_body_may_have_just_as_many_bytes_as_the_limit) {
    const auto sized = [](std::size_t bytes) {
        return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
               std::string(bytes, 'x');
    };
    EXPECT_TRUE(parse(sized(body_max)).complete);
    EXPECT_EQ(parse(sized(body_max + 1)).refused, 413u);
    const std::string fifty = "32\r\n" + std::string(50, 'x') + "\r\n";
    EXPECT_TRUE(parse(chunked(fifty + fifty + "0\r\n\r\n")).complete);
    EXPECT_EQ(parse(chunked(fifty + fifty + "1\r\nx\r\n0\r\n\r\n")).refused, 413u);
    // A chunk that announces too much is refused before its bytes come.
    EXPECT_EQ(parse(chunked("65\r\n")).refused, 413u);
}

TEST(RequestReader, chunks_that_are_mostly_wrapping_are_refused) {
    std::string bytes;
    for (int i = 0; i < 60; ++i)
        bytes += "1;" + std::string(500, 'e') + "\r\nx\r\n";
    EXPECT_EQ(parse(chunked(bytes)).refused, 400u);
    EXPECT_EQ(parse(chunked("1;" + std::string(header_max, 'e'))).refused, 400u);
    EXPECT_EQ(parse(chunked("0\r\nA: " + std::string(header_max, 'e'))).refused, 400u);
}

}  // namespace
}  // namespace spaktok::http
