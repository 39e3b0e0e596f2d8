#include "gateway/websocket_handshake.h"

#include <gtest/gtest.h>

namespace spaktok::gateway {
namespace {

TEST(Handshake, ComputesTheAcceptKeyOfTheRfc) {
    // Section 1.3's example.
    EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_EQ(accept_key(" dGhlIHNhbXBsZSBub25jZQ== "), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_NE(handshake_answer("dGhlIHNhbXBsZSBub25jZQ==")
                  .find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"),
              std::string::npos);
}

struct Case {
    const char* name;
    HandshakeFields fields;
    HandshakeResult result;
};
constexpr HandshakeFields good{"websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ=="};

constexpr HandshakeFields with(std::optional<std::string_view> HandshakeFields::* field,
                               std::optional<std::string_view> value) {
    HandshakeFields fields = good;
    fields.*field = value;
    return fields;
}

class HandshakeTable : public testing::TestWithParam<Case> {};
TEST_P(HandshakeTable, IsJudged) {
    EXPECT_EQ(check_handshake(GetParam().fields), GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, HandshakeTable,
    testing::Values(
        Case{"good", good, HandshakeResult::accepted},
        Case{"list_and_case", with(&HandshakeFields::connection, "keep-alive, upgrade"),
             HandshakeResult::accepted},
        Case{"other_case", with(&HandshakeFields::upgrade, "WebSocket"), HandshakeResult::accepted},
        Case{"no_upgrade", with(&HandshakeFields::upgrade, std::nullopt), HandshakeResult::no_upgrade},
        Case{"other_upgrade", with(&HandshakeFields::upgrade, "h2c"), HandshakeResult::no_upgrade},
        Case{"no_connection", with(&HandshakeFields::connection, "keep-alive"), HandshakeResult::no_upgrade},
        Case{"connection_is_another_word", with(&HandshakeFields::connection, "upgrades"),
             HandshakeResult::no_upgrade},
        Case{"no_version", with(&HandshakeFields::version, std::nullopt),
             HandshakeResult::unsupported_version},
        Case{"old_version", with(&HandshakeFields::version, "8"), HandshakeResult::unsupported_version},
        Case{"no_key", with(&HandshakeFields::key, std::nullopt), HandshakeResult::bad_key},
        Case{"short_key", with(&HandshakeFields::key, "dGhlIHNhbXBsZSBub25j"), HandshakeResult::bad_key},
        Case{"key_of_other_characters", with(&HandshakeFields::key, "dGhlIHNhbXBsZSBub25j\r\n=="),
             HandshakeResult::bad_key},
        Case{"key_without_padding", with(&HandshakeFields::key, "dGhlIHNhbXBsZSBub25jZQAA"),
             HandshakeResult::bad_key}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace spaktok::gateway
