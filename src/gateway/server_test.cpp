// The gateway behind the HTTP server: who may shake hands, and what a refused handshake is answered.
#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/test_gateway.h"
#include "http/rate_limiter.h"
#include "http/router.h"
#include "http/sessions.h"

namespace spaktok::gateway {
namespace {

class GatewayServer : public testing::Test {
  protected:
    GatewayServer() {
        test.gateway.attach(server);
        sessions.on_ended([this](UserId, const std::string& id) { test.gateway.close_session(id); });
        server.start();
    }
    ~GatewayServer() override {
        test.stop();
        server.stop(std::chrono::seconds(5));
    }

    TestClient connect(const std::string& fields) {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(server.port());
        EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        TestClient client(socket);
        client.write(
            "GET /api/v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
            fields + "\r\n");
        return client;
    }

    static inline const UserId ada{*Uuid::parse("01890000-0000-7000-8000-000000000001")};
    TestGateway test;
    http::Router router;
    http::Sessions sessions{
        test.engine.key_values(), test.clock, test.random, {.public_url = "http://localhost"}};
    http::RateLimiter limiter{test.clock, {}};
    http::Server server{{.listen = "127.0.0.1:0", .public_url = "http://localhost"},
                        router,
                        &sessions,
                        &limiter,
                        test.threads};
};

TEST_F(GatewayServer, WelcomesAGuest) {
    TestClient client = connect("Sec-WebSocket-Version: 13\r\n");
    EXPECT_THAT(client.read_head(), testing::StartsWith("HTTP/1.1 101 "));
    EXPECT_TRUE(client.read_json().at("user_id").is_null());
}

TEST_F(GatewayServer, WelcomesABearerAndClosesItsSocketWhenTheSessionEnds) {
    const auto created = test.run(sessions.create(ada, "test"));
    TestClient client =
        connect("Sec-WebSocket-Version: 13\r\nAuthorization: Bearer " + created.token + "\r\n");
    client.read_head();
    EXPECT_EQ(client.read_json().at("user_id").as_string(), ada.to_string());
    EXPECT_TRUE(test.run(sessions.end(ada, created.session.id)));
    EXPECT_EQ(client.read_close(), 4401);
}

TEST_F(GatewayServer, WelcomesACookieOfItsOwnOriginOnly) {
    const auto created = test.run(sessions.create(ada, "test"));
    const std::string cookie = sessions.cookie(created.token);
    const std::string fields =
        "Sec-WebSocket-Version: 13\r\nCookie: " + cookie.substr(0, cookie.find(';')) + "\r\nOrigin: ";
    TestClient own = connect(fields + "http://localhost\r\n");
    EXPECT_THAT(own.read_head(), testing::StartsWith("HTTP/1.1 101 "));
    EXPECT_EQ(own.read_json().at("user_id").as_string(), ada.to_string());
    TestClient other = connect(fields + "http://evil.example\r\n");
    EXPECT_THAT(other.read_head(), testing::StartsWith("HTTP/1.1 403 "));
}

TEST_F(GatewayServer, AnswersAnotherVersionWithItsOwn) {
    TestClient client = connect("Sec-WebSocket-Version: 8\r\n");
    const auto head = client.read_head();
    EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 426 "));
    EXPECT_THAT(head, testing::HasSubstr("Sec-WebSocket-Version: 13\r\n"));
}

TEST_F(GatewayServer, AnswersAProblemWhenItStops) {
    test.stop();
    TestClient client = connect("Sec-WebSocket-Version: 13\r\n");
    const auto head = client.read_head();
    EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(head, testing::HasSubstr("Retry-After: 5\r\n"));
}

}  // namespace
}  // namespace spaktok::gateway
