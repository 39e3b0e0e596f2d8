// Answers without a socket: ranges, problems, compression, the head, and what is still to be sent.
#include <array>
#include <csignal>
#include <utility>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "http/byte_range.h"
#include "http/output.h"
#include "http/response_writer.h"

namespace spaktok::http {
namespace {

std::string gunzip(const std::string& bytes) {
    z_stream stream{};
    inflateInit2(&stream, 15 + 16);
    std::string text(1024 * 1024, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    const auto result = inflate(&stream, Z_FINISH);
    text.resize(stream.total_out);
    inflateEnd(&stream);
    return result == Z_STREAM_END ? text : "not gzip";
}

std::string all_of(const Output& output) {
    std::array<iovec, 64> buffers;
    std::string text;
    const auto count = output.gather(buffers);
    for (std::size_t i = 0; i < count; ++i)
        text.append(static_cast<const char*>(buffers[i].iov_base), buffers[i].iov_len);
    return text;
}

std::string written(Response response, HeadOptions options = {}) {
    options.date = "now";
    options.request_id = "id";
    Output output;
    write_response(output, std::move(response), options);
    return all_of(output);
}

TEST(ByteRange, is_one_range_or_is_ignored) {
    struct Row {
        const char* header;
        std::optional<std::pair<std::uint64_t, std::uint64_t>> expected;  // offset, length
    };
    const Row rows[]{
        {"bytes=0-0", {{0, 1}}},
        {"bytes=0-9", {{0, 10}}},
        {"bytes=0-10", {{0, 10}}},
        {"bytes=9-", {{9, 1}}},
        {"bytes=10-", {{10, 0}}},
        {"bytes=10-20", {{10, 0}}},
        {"bytes=-1", {{9, 1}}},
        {"bytes=-10", {{0, 10}}},
        {"bytes=-11", {{0, 10}}},
        {"bytes=-0", {{10, 0}}},
        {"BYTES=1-2", {{1, 2}}},
        {"bytes=2-18446744073709551615", {{2, 8}}},
        {"bytes=3-2", std::nullopt},
        {"bytes=0-1,3-4", std::nullopt},
        {"bytes=", std::nullopt},
        {"bytes=-", std::nullopt},
        {"bytes=a-b", std::nullopt},
        {"bytes=1", std::nullopt},
        {"bytes=1-99999999999999999999", std::nullopt},
        {"items=0-1", std::nullopt},
        {"", std::nullopt},
    };
    for (const auto& row : rows) {
        const auto range = parse_range(row.header, 10);
        ASSERT_EQ(range.has_value(), row.expected.has_value()) << row.header;
        if (range) EXPECT_EQ(std::pair(range->offset, range->length), *row.expected) << row.header;
    }
    EXPECT_EQ(parse_range("bytes=0-", 0)->length, 0u);
}

TEST(Response, the_range_of_anything_but_get_is_ignored) {
    Request request;
    request.headers.add("Range", "bytes=1-2");
    const auto bytes = std::make_shared<const std::string>("abcdef");
    request.method = Method::get;
    EXPECT_EQ(Response::bytes(request, bytes, "video/mp4").status, 206u);
    request.method = Method::head;
    EXPECT_EQ(Response::bytes(request, bytes, "video/mp4").status, 200u);
    request.method = Method::get;
    request.headers.set("Range", "bytes=6-");
    try {
        Response::bytes(request, bytes, "video/mp4");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::range_not_satisfiable);
        EXPECT_EQ(problem(error, "id").headers.get("Content-Range"), "bytes */6");
    }
}

TEST(Response, text_from_1_kib_on_is_compressed_where_it_is_accepted) {
    struct Row {
        const char* what;
        std::size_t bytes;
        const char* type;
        const char* accepted;
        bool expected;
    };
    const Row rows[]{
        {"at the limit", 1024, "application/json", "gzip", true},
        {"one byte less", 1023, "application/json", "gzip", false},
        {"among others", 2000, "application/problem+json", "br, gzip;q=0.5", true},
        {"anything", 2000, "text/plain; charset=utf-8", "*", true},
        {"refused", 2000, "text/plain", "gzip;q=0, *", false},
        {"not named", 2000, "text/plain", "br", false},
        {"not asked", 2000, "text/plain", "", false},
        {"media", 2000, "video/mp4", "gzip", false},
    };
    for (const auto& row : rows) {
        Request request;
        request.headers.add("Accept-Encoding", row.accepted);
        auto response = Response::text(std::string(row.bytes, 'a'), row.type);
        response.headers.add("ETag", "\"v\"");
        finish_response(request, response);
        EXPECT_EQ(response.headers.get("Content-Encoding") == "gzip", row.expected) << row.what;
        EXPECT_EQ(row.expected ? gunzip(response.body) : response.body, std::string(row.bytes, 'a'))
            << row.what;
        EXPECT_EQ(response.headers.get("ETag"), row.expected ? "W/\"v\"" : "\"v\"") << row.what;
    }
}

TEST(Response, what_could_have_been_compressed_varies) {
    Request request;
    auto large = Response::text(std::string(2000, 'a'));
    finish_response(request, large);
    EXPECT_EQ(large.headers.get("Vary"), "Accept-Encoding");
    auto small = Response::text("a");
    finish_response(request, small);
    EXPECT_FALSE(small.headers.has("Vary"));
}

TEST(Response, one_compressor_serves_many_answers) {
    Request request;
    request.headers.add("Accept-Encoding", "gzip");
    for (std::size_t i = 0; i < 5; ++i) {
        const auto text = std::string(5000 + i, static_cast<char>('a' + i));
        auto response = Response::text(text);
        finish_response(request, response);
        EXPECT_EQ(gunzip(response.body), text);
    }
}

TEST(Response, a_header_cannot_end_its_line) {
    auto response = Response::text("body");
    response.headers.add("Location", "/a\r\nSet-Cookie: evil=1");
    const auto text = written(std::move(response));
    EXPECT_EQ(text.find("\r\nSet-Cookie"), std::string::npos);
    EXPECT_NE(text.find("Location: /a  Set-Cookie: evil=1\r\n"), std::string::npos);
}

TEST(Response, the_framing_is_the_servers_own) {
    auto response = Response::text("body");
    response.headers.add("Content-Length", "99");
    response.headers.add("Connection", "upgrade");
    EXPECT_EQ(
        written(std::move(response)),
        "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
        "4\r\nX-Request-Id: id\r\n"
        "Referrer-Policy: strict-origin-when-cross-origin\r\nX-Content-Type-Options: nosniff\r\n\r\nbody");
    EXPECT_EQ(written(Response::no_content()).find("Content-Length"), std::string::npos);
    EXPECT_TRUE(written(Response::text("body"), {.omit_body = true}).ends_with("\r\n\r\n"));
}

TEST(Response, dates_are_written_as_http_has_them) {
    EXPECT_EQ(imf_fixdate(std::chrono::sys_seconds{std::chrono::seconds{784111777}}),
              "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(imf_fixdate(std::chrono::sys_seconds{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Request, a_query_is_decoded_and_its_numbers_have_bounds) {
    Request request;
    request.raw_query = "a=1+2%203&b&c=%zz&n=7&big=99999999999999999999&%64=x&z=%00";
    EXPECT_EQ(request.query("a"), "1 2 3");
    EXPECT_EQ(request.query("b"), "");
    EXPECT_EQ(request.query("d"), "x");
    EXPECT_EQ(request.query("e"), std::nullopt);
    EXPECT_EQ(request.query_integer("n", 1, 1, 7), 7);
    EXPECT_EQ(request.query_integer("e", 5, 1, 7), 5);
    for (const auto* name : {"c", "z"}) {
        EXPECT_THROW(request.query(name), Error) << name;
    }
    const auto field_of_failure = [&](const char* name, std::int64_t maximum) -> std::string {
        try {
            request.query_integer(name, 1, 1, maximum);
        } catch (const Error& error) {
            return error.field();
        }
        return "";
    };
    EXPECT_EQ(field_of_failure("n", 6), "n");
    EXPECT_EQ(field_of_failure("big", 7), "big");
    EXPECT_EQ(field_of_failure("a", 7), "a");
}

TEST(Request, a_body_is_json_only_where_it_says_so) {
    Request request;
    request.body = R"({"a":1})";
    const auto code = [&] {
        try {
            request.json_value();
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::internal;
    };
    EXPECT_EQ(code(), ErrorCode::unsupported_media);
    request.headers.set("Content-Type", "text/plain");
    EXPECT_EQ(code(), ErrorCode::unsupported_media);
    request.headers.set("Content-Type", "Application/JSON; charset=utf-8");
    EXPECT_EQ(request.json_value().at("a").as_int64(), 1);
    request.body = "";
    EXPECT_EQ(code(), ErrorCode::invalid_argument);
}

TEST(Headers, are_found_without_regard_to_case) {
    Headers headers;
    headers.add("Accept", "a");
    headers.add("ACCEPT", "b");
    headers.add("Other", "c");
    EXPECT_EQ(headers.get("accept"), "a");
    EXPECT_EQ(headers.count("Accept"), 2u);
    headers.set("accept", *headers.get("other"));
    EXPECT_EQ(headers.count("Accept"), 1u);
    EXPECT_EQ(headers.get("Accept"), "c");
    headers.remove("OTHER");
    EXPECT_FALSE(headers.has("Other"));
    EXPECT_EQ(headers.size(), 1u);
}

TEST(Output, gives_the_same_bytes_however_they_are_taken) {
    const auto shared = std::make_shared<const std::string>("0123456789");
    const std::string large(Output::copy_bytes_max + 1, 'l');
    const auto fill = [&](Output& output) {
        output.text() += "head ";
        output.text_written();
        output.add(std::string("small "));
        output.add({shared, 2, 3});
        output.text() += " next ";
        output.text_written();
        output.add(std::string(large));
        output.add({shared, 0, 0});
        output.add({shared, 9, 1});
    };
    const auto expected = "head small 234 next " + large + "9";
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{1000}, expected.size()}) {
        Output output;
        for (int round = 0; round < 2; ++round) {
            fill(output);
            ASSERT_EQ(output.bytes(), expected.size());
            std::string taken;
            while (!output.empty()) {
                std::array<iovec, 2> buffers;
                ASSERT_GT(output.gather(buffers), 0u);
                const auto count = std::min(step, buffers[0].iov_len);
                taken.append(static_cast<const char*>(buffers[0].iov_base), count);
                output.consume(count);
            }
            ASSERT_EQ(taken, expected) << step;
        }
        output.release();
        EXPECT_EQ(shared.use_count(), 1) << "sent bytes are let go";
    }
}

// Two ends of a stream; what one sends, up to a few hundred KiB, the other may take later.
class SocketPair {
  public:
    SocketPair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0); }
    ~SocketPair() {
        ::close(ends_[0]);
        close_receiver();
    }
    int sender() const { return ends_[0]; }
    void close_receiver() {
        if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
    }
    std::string receive() const {
        std::string all;
        std::array<char, 10'000> buffer;
        for (ssize_t count = 0; (count = ::recv(ends_[1], buffer.data(), buffer.size(), 0)) > 0;)
            all.append(buffer.data(), static_cast<std::size_t>(count));
        return all;
    }

  private:
    std::array<int, 2> ends_{};
};

TEST(Output, sends_texts_and_files_in_order) {
    const auto file = MemoryFile::make();
    const auto shared = std::make_shared<const std::string>("0123456789");
    const std::string large(1'000'000, 'l');
    auto small_extent = file->append("in a file");
    const auto large_extent = file->append(large);
    const SocketPair sockets;
    Output output;
    for (int round = 0; round < 2; ++round) {
        output.text() += "head ";
        output.text_written();
        BodyPart middle(small_extent);
        middle.offset = 3;
        middle.length = 2;
        output.add(middle);
        output.add(BodyPart(large_extent));
        output.add(BodyPart(shared));
        output.text() += " next";
        output.text_written();
        const auto expected = "head a " + large + "0123456789 next";
        ASSERT_EQ(output.bytes(), expected.size());
        std::string received;
        int waits = 0;
        while (output.send(sockets.sender()) == Output::Sent::some) {
            ++waits;
            received += sockets.receive();
        }
        received += sockets.receive();
        EXPECT_GT(waits, 0) << "more than the socket takes at once";
        EXPECT_TRUE(received == expected);
        EXPECT_TRUE(output.empty());
    }
    EXPECT_EQ(small_extent.use_count(), 1) << "sent bytes are let go";
    EXPECT_EQ(shared.use_count(), 1);
}

TEST(Output, a_receiver_that_is_gone_breaks_it) {
    ::signal(SIGPIPE, SIG_IGN);
    const auto file = MemoryFile::make();
    for (const auto& part :
         {BodyPart(std::make_shared<const std::string>("text")), BodyPart(file->append("file"))}) {
        SocketPair sockets;
        sockets.close_receiver();
        Output output;
        output.add(part);
        EXPECT_EQ(output.send(sockets.sender()), Output::Sent::broken);
    }
}

}  // namespace
}  // namespace spaktok::http
