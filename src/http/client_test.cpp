#include "http/client.h"

#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "http/test_server.h"

namespace spaktok::http {
namespace {

using namespace std::chrono_literals;
using testing::Gate;
using testing::TestServer;

// Says what it is told to whoever connects, and closes.
class BluntServer {
  public:
    explicit BluntServer(std::string answer, int answers_a_connection = 1)
        : answer_(std::move(answer)),
          answers_a_connection_(answers_a_connection),
          thread_([this] { run(); }) {}
    int connections() const { return connections_; }
    ~BluntServer() {
        boost::asio::io_context context;
        boost::asio::ip::tcp::socket last(context);
        is_stopping_ = true;
        last.connect(acceptor_.local_endpoint());
        thread_.join();
    }
    std::string origin() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }

  private:
    void run() {
        for (;;) {
            auto socket = acceptor_.accept();
            if (is_stopping_) return;
            ++connections_;
            char request[1024];
            boost::system::error_code ignored;
            for (int i = 0; i < answers_a_connection_ && wait_readable(socket.native_handle()); ++i) {
                socket.read_some(boost::asio::buffer(request), ignored);
                boost::asio::write(socket, boost::asio::buffer(answer_), ignored);
            }
        }
    }

    bool wait_readable(int socket) const {
        while (!is_stopping_) {
            pollfd entry{socket, POLLIN, 0};
            if (::poll(&entry, 1, 5) > 0) return true;
        }
        return false;
    }

    const std::string answer_;
    const int answers_a_connection_;
    std::atomic<int> connections_{0};
    std::atomic<bool> is_stopping_{false};
    boost::asio::io_context context_;
    boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
    std::thread thread_;
};

class HttpClient : public ::testing::Test {
  protected:
    Client::Answer get(const std::string& origin, std::string target = "/file",
                       std::chrono::milliseconds patience = 5s) {
        auto answer = boost::asio::co_spawn(context_, client_.get(origin, std::move(target), {}, patience),
                                            boost::asio::use_future);
        context_.restart();
        context_.run();
        return answer.get();
    }
    std::string failure(const std::string& origin, std::chrono::milliseconds patience = 5s) {
        try {
            return "answer " + std::to_string(get(origin, "/file", patience).status);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::unavailable);
            return error.reason();
        }
    }

    boost::asio::io_context context_{1};
    Client client_{context_, {.connect_timeout = 500ms, .header_bytes_max = 2048, .body_bytes_max = 1000}};
};

TEST_F(HttpClient, AsksAndReads) {
    TestServer server;
    server.answer(Method::get, "/file", [](Request& request) { return Response::text(request.raw_query); });
    server.start();
    const auto origin = "http://127.0.0.1:" + std::to_string(server.port());
    const auto answer = get(origin, "/file?a=1");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(*answer.body, "a=1");
    EXPECT_EQ(answer.headers.get("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(get(origin, "/nothing").status, 404U);
}

TEST_F(HttpClient, KeepsItsConnectionAndTakesAnotherWhereThatWasClosed) {
    BluntServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 3);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(*get(server.origin()).body, "ok");
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(*get(server.origin()).body, "ok");
    EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClient, HasLimits) {
    for (const auto& [length, is_taken] : {std::pair{1000, true}, std::pair{1001, false}}) {
        BluntServer server("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
                           std::string(static_cast<std::size_t>(length), 'x'));
        EXPECT_EQ(failure(server.origin()), is_taken ? "answer 200" : "node_unreachable") << length;
    }
    BluntServer wordy("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + std::string(4000, 'x') + "\r\n\r\n");
    EXPECT_EQ(failure(wordy.origin()), "node_unreachable");
}

TEST_F(HttpClient, RefusesWhatIsNoWholeAnswer) {
    for (const auto* answer :
         {"", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}) {
        BluntServer server(answer);
        EXPECT_EQ(failure(server.origin()), "node_unreachable") << answer;
    }
}

TEST_F(HttpClient, ReadsChunks) {
    BluntServer server(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    EXPECT_EQ(*get(server.origin()).body, "abcde");
}

TEST_F(HttpClient, WaitsNoLongerThanItsPatience) {
    Gate gate;
    TestServer server;
    server.answer_after(gate, "/file");
    server.start();
    EXPECT_EQ(failure("http://127.0.0.1:" + std::to_string(server.port()), 50ms), "node_unreachable");
    gate.open();
}

TEST_F(HttpClient, KnowsWhatIsNoOrigin) {
    for (const auto* origin : {"https://127.0.0.1:1", "http://", "ftp://127.0.0.1"})
        EXPECT_EQ(failure(origin), "node_unreachable") << origin;
}

}  // namespace
}  // namespace spaktok::http
