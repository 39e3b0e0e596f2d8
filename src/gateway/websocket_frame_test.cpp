#include "gateway/websocket_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "gateway/testing/client_frames.h"

namespace spaktok::gateway {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::string bytes(std::initializer_list<int> values) {
    std::string text;
    for (const int value : values)
        text.push_back(static_cast<char>(value));
    return text;
}

std::string describe(const FrameEvent& event) {
    static constexpr const char* names[] = {"text", "ping", "pong", "close", "failure"};
    std::string text = names[static_cast<int>(event.kind)];
    if (event.code) text += " " + std::to_string(*event.code);
    if (!event.payload.empty()) text += " " + std::string(event.payload);
    return text;
}

// Events of `input`, given to the decoder in pieces that end at `cuts`.
std::vector<std::string> decode(std::string input, std::size_t message_bytes_max = 1024,
                                std::vector<std::size_t> cuts = {}) {
    FrameDecoder decoder(message_bytes_max);
    std::vector<std::string> events;
    cuts.push_back(input.size());
    std::size_t begin = 0;
    for (const std::size_t end : cuts) {
        std::string piece = input.substr(begin, end - begin);
        std::span<char> rest(piece);
        while (const auto event = decoder.next(rest))
            events.push_back(describe(*event));
        EXPECT_TRUE(rest.empty());
        begin = end;
    }
    return events;
}

std::string masked(int first_byte, std::string_view payload) {
    return client_frame(static_cast<std::uint8_t>(first_byte), payload);
}

TEST(FrameDecoder, ReadsTheExampleOfTheRfc) {
    // Section 5.7: a single-frame masked text message.
    EXPECT_THAT(decode(bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})),
                ElementsAre("text Hello"));
    // Section 5.7: a masked pong.
    EXPECT_THAT(decode(bytes({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})),
                ElementsAre("pong Hello"));
}

struct Case {
    const char* name;
    std::string input;
    std::vector<std::string> events;
};

class FrameDecoderTable : public testing::TestWithParam<Case> {};

TEST_P(FrameDecoderTable, GivesTheExpectedEvents) {
    EXPECT_THAT(decode(GetParam().input), ElementsAreArray(GetParam().events));
}

INSTANTIATE_TEST_SUITE_P(
    Messages, FrameDecoderTable,
    testing::Values(
        Case{"empty", masked(0x81, ""), {"text"}},
        Case{"two_in_a_row", masked(0x81, "a") + masked(0x81, "b"), {"text a", "text b"}},
        Case{"fragments", masked(0x01, "Hel") + masked(0x00, "") + masked(0x80, "lo"), {"text Hello"}},
        Case{"empty_fragments", masked(0x01, "") + masked(0x80, ""), {"text"}},
        Case{"control_between_fragments",
             masked(0x01, "Hel") + masked(0x89, "p") + masked(0x80, "lo"),
             {"ping p", "text Hello"}},
        Case{"character_cut_by_fragments",
             masked(0x01, "\xE2\x82") + masked(0x80, "\xAC"),
             {"text \xE2\x82\xAC"}},
        Case{"length_125", masked(0x81, std::string(125, 'x')), {"text " + std::string(125, 'x')}},
        Case{"length_126", masked(0x81, std::string(126, 'x')), {"text " + std::string(126, 'x')}},
        Case{"control_125", masked(0x89, std::string(125, 'x')), {"ping " + std::string(125, 'x')}},
        Case{"limit", masked(0x81, std::string(1024, 'x')), {"text " + std::string(1024, 'x')}},
        Case{"limit_in_fragments",
             masked(0x01, std::string(1000, 'x')) + masked(0x80, std::string(24, 'x')),
             {"text " + std::string(1024, 'x')}},
        Case{"fragments_do_not_add_up_over_messages",
             masked(0x81, std::string(1024, 'x')) + masked(0x81, "y"),
             {"text " + std::string(1024, 'x'), "text y"}},
        Case{"close_without_code", masked(0x88, ""), {"close"}},
        Case{"close_with_code", masked(0x88, "\x03\xE8"), {"close 1000"}},
        Case{"close_with_reason", masked(0x88, "\x0F\xA0 bye"), {"close 4000  bye"}},
        Case{"nothing_after_close", masked(0x88, "") + masked(0x81, "x"), {"close"}}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Failures, FrameDecoderTable,
    testing::Values(
        Case{"reserved_bits", masked(0xC1, "x"), {"failure 1002 reserved bits are set"}},
        Case{"reserved_data_opcode", masked(0x83, "x"), {"failure 1002 reserved opcode"}},
        Case{"reserved_control_opcode", masked(0x8B, "x"), {"failure 1002 reserved opcode"}},
        Case{"unmasked", bytes({0x81, 0x01, 'x'}), {"failure 1002 unmasked frame"}},
        Case{"fragmented_control", masked(0x09, "x"), {"failure 1002 fragmented control frame"}},
        Case{"control_126",
             masked(0x89, std::string(126, 'x')),
             {"failure 1002 control frame over 125 bytes"}},
        Case{"continuation_of_nothing", masked(0x80, "x"), {"failure 1002 continuation of no message"}},
        Case{"continuation_after_the_end",
             masked(0x81, "x") + masked(0x80, "y"),
             {"text x", "failure 1002 continuation of no message"}},
        Case{"message_within_a_message",
             masked(0x01, "x") + masked(0x81, "y"),
             {"failure 1002 a message within a message"}},
        Case{"length_not_minimal_16",
             bytes({0x81, 0xFE, 0, 125, 0, 0, 0, 0}),
             {"failure 1002 malformed length"}},
        Case{"length_not_minimal_64",
             bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}),
             {"failure 1002 malformed length"}},
        Case{"length_with_highest_bit",
             bytes({0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
             {"failure 1002 malformed length"}},
        Case{"binary", masked(0x82, "x"), {"failure 1003 only text messages"}},
        Case{"one_past_the_limit", masked(0x81, std::string(1025, 'x')), {"failure 1009 message too big"}},
        Case{"one_past_the_limit_in_fragments",
             masked(0x01, std::string(1000, 'x')) + masked(0x80, std::string(25, 'x')),
             {"failure 1009 message too big"}},
        Case{"largest_length",
             bytes({0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}),
             {"failure 1009 message too big"}},
        Case{"not_utf8", masked(0x81, "a\xFF"), {"failure 1007 text is not UTF-8"}},
        Case{"half_a_character", masked(0x81, "\xE2\x82"), {"failure 1007 text is not UTF-8"}},
        Case{"half_a_character_in_fragments",
             masked(0x01, "\xE2") + masked(0x80, "\x82"),
             {"failure 1007 text is not UTF-8"}},
        Case{"half_a_close_code", masked(0x88, "\x03"), {"failure 1002 half a close code"}},
        Case{"close_reason_not_utf8",
             masked(0x88, "\x03\xE8\xFF"),
             {"failure 1007 close reason is not UTF-8"}},
        Case{"nothing_after_a_failure",
             masked(0x82, "x") + masked(0x81, "y"),
             {"failure 1003 only text messages"}}),
    [](const auto& info) { return info.param.name; });

TEST(FrameDecoder, TakesAsManyFragmentsAsTheLimitSaysAndNotOneMore) {
    const auto fragmented = [](std::size_t count) {
        std::string input = masked(0x01, "a");
        for (std::size_t i = 2; i < count; ++i)
            input += masked(0x00, "");
        return input + masked(0x80, "z");
    };
    EXPECT_THAT(decode(fragmented(fragments_max)), ElementsAre("text az"));
    EXPECT_THAT(decode(fragmented(fragments_max + 1)), ElementsAre("failure 1009 too many fragments"));
}

TEST(FrameDecoder, TellsAFailureAsSoonAsItIsCertain) {
    EXPECT_THAT(decode(bytes({0x82, 0xFF})), ElementsAre("failure 1003 only text messages"));
    EXPECT_THAT(decode(masked(0x81, "\xFFxxxx").substr(0, 7)), ElementsAre("failure 1007 text is not UTF-8"));
}

TEST(FrameDecoder, KnowsWhichCloseCodesAPeerMaySend) {
    for (const int code :
         {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999}) {
        EXPECT_TRUE(is_valid_close_code(static_cast<std::uint16_t>(code))) << code;
    }
    for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) {
        EXPECT_FALSE(is_valid_close_code(static_cast<std::uint16_t>(code))) << code;
    }
}

// A conversation with everything in it, and what goes wrong at its end.
std::vector<std::string> conversations() {
    const std::string talk = masked(0x81, "hello") + masked(0x01, "gr\xC3") + masked(0x8A, "") +
                             masked(0x00, "\xBC") + masked(0x89, "are you there") +
                             masked(0x80, "n \xF0\x9F\x8E\x81") + masked(0x81, std::string(300, 'y')) +
                             masked(0x81, "");
    std::vector<std::string> all;
    for (const auto& end :
         {masked(0x88, "\x03\xE9going"), masked(0x81, "ok \xF4\x90\x80\x80"), masked(0x82, "b"),
          masked(0x81, std::string(1025, 'z')), masked(0x01, "\xE2") + masked(0x89, "p") + masked(0x80, "x"),
          masked(0x88, "\x03"), masked(0x09, "x")}) {
        all.push_back(talk + end + masked(0x81, "never seen"));
    }
    return all;
}

TEST(FrameDecoder, GivesTheSameEventsHoweverTheBytesAreCut) {
    SeededRandom random(4711);
    for (const auto& conversation : conversations()) {
        const auto expected = decode(conversation);
        ASSERT_GE(expected.size(), 7u);
        for (std::size_t cut = 0; cut <= conversation.size(); ++cut) {
            ASSERT_EQ(decode(conversation, 1024, {cut}), expected) << "cut at " << cut;
        }
        std::vector<std::size_t> every;
        for (std::size_t cut = 1; cut < conversation.size(); ++cut)
            every.push_back(cut);
        ASSERT_EQ(decode(conversation, 1024, every), expected);
        for (int round = 0; round < 200; ++round) {
            std::vector<std::size_t> cuts(random.below(20));
            for (auto& cut : cuts)
                cut = random.below(conversation.size() + 1);
            std::ranges::sort(cuts);
            ASSERT_EQ(decode(conversation, 1024, cuts), expected);
        }
    }
}

TEST(FrameEncoder, WritesTheExamplesOfTheRfc) {
    EXPECT_EQ(encode_frame(Opcode::text, "Hello"), bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
    EXPECT_EQ(encode_frame(Opcode::ping, "Hello"), bytes({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
    EXPECT_EQ(encode_frame(Opcode::text, std::string(256, 'x')).substr(0, 4),
              bytes({0x81, 0x7E, 0x01, 0x00}));
    EXPECT_EQ(encode_frame(Opcode::text, std::string(65536, 'x')).substr(0, 10),
              bytes({0x81, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST(FrameEncoder, UsesTheShortestLengthAtEachBoundary) {
    EXPECT_EQ(encode_frame(Opcode::text, std::string(125, 'x')).size(), 125u + 2);
    EXPECT_EQ(encode_frame(Opcode::text, std::string(126, 'x')).size(), 126u + 4);
    EXPECT_EQ(encode_frame(Opcode::text, std::string(65535, 'x')).size(), 65535u + 4);
    EXPECT_EQ(encode_frame(Opcode::text, std::string(65536, 'x')).size(), 65536u + 10);
}

TEST(FrameEncoder, CutsACloseReasonBetweenCharacters) {
    EXPECT_EQ(encode_close(CloseCode::restart, "back soon"), bytes({0x88, 11, 0x03, 0xF4}) + "back soon");
    EXPECT_EQ(encode_close(CloseCode::restart, std::string(123, 'x')).size(), 2u + 125);
    EXPECT_EQ(encode_close(CloseCode::restart, std::string(124, 'x')).size(), 2u + 125);
    // Byte 123 would fall within the two bytes of the last character.
    EXPECT_EQ(encode_close(CloseCode::restart, std::string(122, 'x') + "\xC3\xA4").size(), 2u + 2 + 122);
}

struct Utf8Case {
    const char* name;
    std::string text;
    bool valid;
};
class Utf8Table : public testing::TestWithParam<Utf8Case> {};
TEST_P(Utf8Table, IsJudgedAsRfc3629Says) {
    Utf8Validator whole;
    EXPECT_EQ(whole.feed(GetParam().text) && whole.is_complete(), GetParam().valid);
    Utf8Validator pieces;
    bool valid = true;
    for (const char byte : GetParam().text)
        valid = valid && pieces.feed({&byte, 1});
    EXPECT_EQ(valid && pieces.is_complete(), GetParam().valid);
}
INSTANTIATE_TEST_SUITE_P(
    Texts, Utf8Table,
    testing::Values(
        Utf8Case{"ascii", "0123456789abcdefg", true}, Utf8Case{"lowest_two", "\xC2\x80", true},
        Utf8Case{"lowest_three", "\xE0\xA0\x80", true}, Utf8Case{"before_surrogates", "\xED\x9F\xBF", true},
        Utf8Case{"after_surrogates", "\xEE\x80\x80", true}, Utf8Case{"lowest_four", "\xF0\x90\x80\x80", true},
        Utf8Case{"highest", "\xF4\x8F\xBF\xBF", true},
        Utf8Case{"mixed", "12345678\xC3\xA4 12345678\xE2\x82\xAC!", true},
        Utf8Case{"overlong_two", "\xC1\xBF", false}, Utf8Case{"overlong_three", "\xE0\x9F\xBF", false},
        Utf8Case{"overlong_four", "\xF0\x8F\xBF\xBF", false}, Utf8Case{"surrogate", "\xED\xA0\x80", false},
        Utf8Case{"beyond", "\xF4\x90\x80\x80", false}, Utf8Case{"f5", "\xF5\x80\x80\x80", false},
        Utf8Case{"lone_continuation", "\x80", false}, Utf8Case{"cut_short", "\xF0\x9F\x8E", false},
        Utf8Case{"ascii_within", "\xE2\x82x", false},
        Utf8Case{"bad_after_long_ascii", std::string(64, 'a') + "\xC0", false}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace spaktok::gateway
