#include "media/rtmp/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::rtmp {
namespace {

using testing::append_number;
using testing::Bytes;
using testing::ClientBytes;
using ::testing::HasSubstr;
using testing::joined;

// A session with the caller that the listener is: answers publishes, and writes down all that happens.
struct Driven {
    SeededRandom random{1};
    Session session;
    std::vector<std::string> events;
    std::vector<AccessUnit> units;
    std::string failure;  // "reason: message"
    Bytes output;

    explicit Driven(const Limits& limits = {}) : session(limits, random) {}

    Driven& feed(std::span<const std::uint8_t> bytes) {
        if (!failure.empty()) return *this;
        try {
            while (auto event = session.next(bytes))
                note(std::move(*event));
        } catch (const Error& error) {
            failure = error.reason() + ": " + error.message();
        }
        testing::append(output, session.output());
        session.output().clear();
        return *this;
    }

    void note(Event&& event) {
        if (const auto* publish = std::get_if<PublishRequested>(&event)) {
            events.push_back("publish " + publish->app + " " + publish->stream_key + " " + publish->encoder);
            session.accept_publish();
        } else if (std::get_if<PublishEnded>(&event)) {
            events.push_back("ended");
        } else if (const auto* track = std::get_if<TrackConfigured>(&event)) {
            events.push_back(std::string("configured ") + (track->video ? "video" : "audio") + " " +
                             std::to_string(static_cast<int>(track->config.codec)));
        } else {
            auto& unit = std::get<AccessUnit>(event);
            events.push_back(std::string(unit.video ? "video " : "audio ") + std::to_string(unit.dts_ms) +
                             " " + std::to_string(unit.pts_ms) + (unit.keyframe ? " key " : " ") +
                             std::to_string(unit.data.size()));
            units.push_back(std::move(unit));
        }
    }

    std::string said() const { return {output.begin(), output.end()}; }
    // What the server sent, after the handshake.
    std::vector<Message> messages() const {
        std::vector<Message> all;
        ChunkReader reader{Limits{}};
        auto rest = std::span<const std::uint8_t>{output};
        if (rest.size() >= 3'073) rest = rest.subspan(3'073);
        while (auto message = reader.next(rest))
            all.push_back(std::move(*message));
        return all;
    }
};

ClientBytes whole_broadcast() {
    ClientBytes client;
    client.begin("KEY?secret=1").set_chunk_size(4'096);
    client.message({.type = MessageType::data_amf0, .stream_id = 1}, [] {
        Bytes body;
        amf0::encode(body, std::vector<amf0::Value>{
                               "@setDataFrame", "onMetaData",
                               amf0::Object{.members = {{"encoder", "Encoder 1"}, {"width", 640.0}}}});
        return body;
    }());
    client.video(0, testing::avc_config()).audio(0, testing::aac_config());
    for (std::uint32_t i = 0; i < 10; ++i) {
        client.video(i * 40, testing::avc_frame(i % 5 == 0, i % 5 == 0 ? 0 : 40))
            .audio(i * 40 + 3, testing::aac_frame());
    }
    client.command({"FCUnpublish", 6.0, amf0::Null{}, "KEY"})
        .command({"deleteStream", 7.0, amf0::Null{}, 1.0});
    return client;
}

TEST(RtmpSession, CarriesABroadcastFromConnectToItsEnd) {
    Driven driven;
    driven.feed(whole_broadcast().bytes);
    EXPECT_EQ(driven.failure, "");
    ASSERT_EQ(driven.events.size(), 24u);
    EXPECT_EQ(driven.events[0], "publish live KEY FMLE/3.0 (compatible; test)");
    EXPECT_EQ(driven.events[1], "configured video 0");
    EXPECT_EQ(driven.events[2], "configured audio 3");
    EXPECT_EQ(driven.events[3], "video 0 0 key 104");
    EXPECT_EQ(driven.events[4], "audio 3 3 key 50");
    EXPECT_EQ(driven.events[5], "video 40 80 44");
    EXPECT_EQ(driven.events[23], "ended");
    EXPECT_EQ(driven.units[0].data, testing::idr_picture());
    EXPECT_EQ(driven.session.encoder(), "Encoder 1");
    EXPECT_EQ(driven.session.state(), Session::State::unpublished);
}

TEST(RtmpSession, AnswersAsEncodersExpect) {
    Driven driven;
    driven.feed(ClientBytes{}.begin().bytes);
    std::vector<std::string> answers;
    for (const Message& message : driven.messages()) {
        if (message.type != MessageType::command_amf0) continue;
        const auto values = amf0::decode(message.body);
        const auto* information = values.at(3).object();
        const auto* code = information != nullptr ? information->find("code") : nullptr;
        const auto* number = values.at(3).number();
        answers.push_back(*values[0].text() + " " + std::to_string(static_cast<int>(*values[1].number())) +
                          " " +
                          (code != nullptr     ? *code->text()
                           : number != nullptr ? std::to_string(*number)
                                               : ""));
    }
    EXPECT_EQ(answers,
              (std::vector<std::string>{"_result 1 NetConnection.Connect.Success", "_result 2 ", "_result 3 ",
                                        "_result 4 1.000000", "onStatus 0 NetStream.Publish.Start"}));
    EXPECT_THAT(driven.said(), HasSubstr("hvc1"));
    EXPECT_EQ(driven.output[0], 3);
    EXPECT_EQ(driven.output[5], 0) << "a server version of zero: no digest";
    const ClientBytes sent = ClientBytes{}.handshake();
    EXPECT_TRUE(std::equal(sent.bytes.begin() + 1, sent.bytes.begin() + 1'537, driven.output.begin() + 1'537))
        << "S2 repeats C1";
}

TEST(RtmpSession, SeesTheSameHoweverTheBytesAreCut) {
    const Bytes bytes = whole_broadcast().bytes;
    Driven whole;
    whole.feed(bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        Driven driven;
        driven.feed(std::span{bytes}.first(cut)).feed(std::span{bytes}.subspan(cut));
        ASSERT_EQ(driven.events, whole.events) << cut;
        ASSERT_EQ(driven.output, whole.output) << cut;
    }
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 100u, 1'000u}) {
        Driven driven;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            driven.feed(std::span{bytes}.subspan(at, std::min(piece, bytes.size() - at)));
        }
        ASSERT_EQ(driven.events, whole.events) << piece;
        ASSERT_EQ(driven.units.back().data, whole.units.back().data);
    }
}

TEST(RtmpSession, TakesCommandsInTheAmf3Envelope) {
    ClientBytes client;
    client.handshake();
    Bytes body{0};
    amf0::encode(body, std::vector<amf0::Value>{"connect", 1.0, amf0::Object{.members = {{"app", "live"}}}});
    client.message({.type = MessageType::command_amf3}, body);
    body = {0};
    amf0::encode(body, std::vector<amf0::Value>{"publish", 2.0, amf0::Null{}, "KEY"});
    client.message({.type = MessageType::command_amf3, .stream_id = 1}, body);
    Driven driven;
    EXPECT_EQ(driven.feed(client.bytes).events, (std::vector<std::string>{"publish live KEY "}));
}

TEST(RtmpSession, CarriesEnhancedRtmp) {
    ClientBytes client;
    client.begin().set_chunk_size(4'096);
    const Bytes hevc_key = testing::nal_unit({19 << 1, 1, 2, 3});
    client.video(0, testing::ex_video_tag(0, true, "hvc1", testing::hvcc()));
    client.video(0, testing::ex_video_tag(1, true, "hvc1", joined({{0, 0, 80}, hevc_key})));
    client.video(40, testing::ex_video_tag(3, false, "hvc1", testing::nal_unit({1 << 1, 1})));
    client.video(80,
                 joined({{0xA7, 0, 0xFF, 3}, testing::text_bytes("hvc1"), testing::nal_unit({1 << 1, 1})}));
    client.audio(
        0, testing::ex_audio_tag(0, "Opus", joined({testing::text_bytes("OpusHead"), testing::opus_head})));
    client.audio(0, testing::ex_audio_tag(1, "Opus", {0xFC, 1, 2}));
    client.video(120, testing::ex_video_tag(0, true, "av01", testing::av1c));
    client.video(120, testing::ex_video_tag(1, true, "av01", {0x12, 0, 0x0A}));
    Driven driven;
    driven.feed(client.bytes);
    EXPECT_EQ(driven.failure, "");
    EXPECT_EQ(driven.events, (std::vector<std::string>{
                                 "publish live KEY FMLE/3.0 (compatible; test)", "configured video 1",
                                 "video 0 80 key 8", "video 40 40 6", "video 80 80 6", "configured audio 4",
                                 "audio 0 0 key 3", "configured video 2", "video 120 120 key 3"}));
}

TEST(RtmpSession, TellsOfAConfigurationOnlyWhereItChanges) {
    ClientBytes client;
    client.begin().set_chunk_size(4'096);
    client.video(0, testing::avc_config())
        .video(0, testing::avc_frame(true))
        .video(40, testing::avc_config());
    Bytes other = testing::avcc;
    other[3] = 0x20;
    client.video(80, testing::avc_tag(0, true, 0, other));
    Driven driven;
    driven.feed(client.bytes);
    EXPECT_EQ(std::ranges::count(driven.events, "configured video 0"), 2);
}

TEST(RtmpSession, LeavesOutWhatCannotBeUsedUpToALimit) {
    const auto broken = testing::avc_tag(1, false, 0, {0, 0, 0, 9, 0x41});
    ClientBytes client;
    client.begin().set_chunk_size(4'096).video(0, testing::avc_config());
    for (std::size_t i = 0; i < TrackReader::unusable_in_a_row_max; ++i)
        client.video(0, broken);
    client.video(0, testing::avc_frame(true));
    for (std::size_t i = 0; i < TrackReader::unusable_in_a_row_max; ++i)
        client.video(0, broken);
    Driven driven;
    driven.feed(client.bytes);
    EXPECT_EQ(driven.failure, "");
    EXPECT_EQ(driven.session.unusable_access_units(), 2 * TrackReader::unusable_in_a_row_max);
    ClientBytes one_more;
    one_more.chunk_size = 4'096;
    driven.feed(one_more.video(0, broken).bytes);
    EXPECT_EQ(driven.failure, "malformed: The audio and video that is sent cannot be used.");
    EXPECT_THAT(driven.said(), HasSubstr("NetStream.Publish.Rejected"));
}

TEST(RtmpSession, LeavesOutFramesWithoutTheirConfiguration) {
    ClientBytes client;
    client.begin()
        .video(0, testing::avc_frame(true))
        .audio(0, testing::aac_frame())
        .audio(0, testing::aac_config());
    client.audio(0, testing::ex_audio_tag(1, "Opus", {1}))
        .video(0, testing::avc_tag(1, true, 10'001, testing::idr_picture()));
    Driven driven;
    driven.feed(client.bytes);
    EXPECT_EQ(driven.session.unusable_access_units(), 4u);
    EXPECT_TRUE(driven.units.empty());
}

struct Refusal {
    std::string name;
    Bytes bytes;
    std::string failure;  // begins so
    std::string told;     // what the peer reads of it, where there is a word for it
};
void PrintTo(const Refusal& each, std::ostream* out) {
    *out << each.name;
}

class RtmpRefusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(RtmpRefusals, AreClear) {
    Driven driven;
    driven.feed(GetParam().bytes);
    EXPECT_THAT(driven.failure, ::testing::StartsWith(GetParam().failure));
    EXPECT_THAT(driven.said(), HasSubstr(GetParam().told));
    EXPECT_EQ(driven.session.state(), Session::State::closed);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RtmpRefusals,
    ::testing::Values(
        Refusal{"Http", testing::text_bytes("GET / HTTP/1.1\r\n"), "not_rtmp", ""},
        Refusal{"EncryptedRtmp", {6}, "not_rtmp", ""},
        Refusal{"NoApp", ClientBytes{}.handshake().connect("").bytes, "malformed",
                "NetConnection.Connect.Rejected"},
        Refusal{"AppOfSlashes", ClientBytes{}.handshake().connect("//?a=b").bytes, "malformed",
                "NetConnection.Connect.Rejected"},
        Refusal{"LongApp", ClientBytes{}.handshake().connect(std::string(513, 'a')).bytes, "malformed",
                "NetConnection.Connect.Rejected"},
        Refusal{"ConnectTwice", ClientBytes{}.handshake().connect().connect().bytes, "out_of_order", ""},
        Refusal{"PublishBeforeConnect", ClientBytes{}.handshake().publish("KEY").bytes, "out_of_order", ""},
        Refusal{"MetadataBeforeConnect",
                ClientBytes{}.handshake().message({.type = MessageType::data_amf0}, Bytes{5}).bytes,
                "out_of_order", ""},
        Refusal{"VideoBeforePublish",
                ClientBytes{}.handshake().connect().video(0, testing::avc_config()).bytes, "out_of_order",
                ""},
        Refusal{"PublishTwice", ClientBytes{}.begin().publish("OTHER").bytes, "out_of_order",
                "NetStream.Publish.Rejected"},
        Refusal{"NoKey", ClientBytes{}.begin("").bytes, "key_refused", "NetStream.Publish.BadName"},
        Refusal{"KeyWithBlanks", ClientBytes{}.begin("a key").bytes, "key_refused",
                "NetStream.Publish.BadName"},
        Refusal{"Player",
                ClientBytes{}
                    .handshake()
                    .connect()
                    .create_stream()
                    .command({"play", 5.0, amf0::Null{}, "KEY"}, 1)
                    .bytes,
                "play_refused", "NetStream.Play.Failed"},
        Refusal{"CommandWithoutName", ClientBytes{}.handshake().command({5.0}).bytes, "malformed", ""},
        Refusal{"EmptyCommand",
                ClientBytes{}.handshake().message({.type = MessageType::command_amf0}, {}).bytes, "malformed",
                ""},
        Refusal{"CommandThatIsNotAmf0",
                ClientBytes{}.handshake().message({.type = MessageType::command_amf0}, Bytes{2, 0, 9}).bytes,
                "malformed", ""},
        Refusal{"Amf3Command",
                ClientBytes{}.handshake().message({.type = MessageType::command_amf3}, Bytes{3}).bytes,
                "malformed", ""},
        Refusal{"DeepMetadata",
                ClientBytes{}.begin().message({.type = MessageType::data_amf0}, Bytes(100, 10)).bytes,
                "too_large", "nested too deeply"},
        Refusal{"ShortPing",
                ClientBytes{}.handshake().message({.type = MessageType::user_control}, Bytes{0, 6, 1}).bytes,
                "malformed", ""},
        Refusal{"ShortEvent",
                ClientBytes{}.handshake().message({.type = MessageType::user_control}, Bytes{0}).bytes,
                "malformed", ""},
        Refusal{"ShortWindow",
                ClientBytes{}
                    .handshake()
                    .message({.type = MessageType::window_acknowledgement_size}, Bytes{1})
                    .bytes,
                "malformed", ""},
        Refusal{"Mp3", ClientBytes{}.begin().audio(0, {0x2F, 1}).bytes, "unsupported: MP3",
                "MP3 is not supported"},
        Refusal{"Vp6", ClientBytes{}.begin().video(0, {0x14, 1}).bytes, "unsupported: VP6",
                "VP6 is not supported"},
        Refusal{"Multitrack",
                ClientBytes{}.begin().video(0, testing::ex_video_tag(6, true, "hvc1", {})).bytes,
                "unsupported: Several", "Several video tracks"},
        Refusal{"CutOffTag", ClientBytes{}.begin().video(0, {0x17, 1}).bytes, "malformed", "cut off"},
        Refusal{"BadConfiguration", ClientBytes{}.begin().video(0, testing::avc_tag(0, true, 0, {1})).bytes,
                "malformed", "avcC"}),
    [](const auto& info) { return info.param.name; });

TEST(RtmpSession, ClosesWhereTheCallerRefusesAPublish) {
    SeededRandom random(1);
    Session session({}, random);
    const Bytes bytes = ClientBytes{}.begin().bytes;
    std::span<const std::uint8_t> rest{bytes};
    ASSERT_TRUE(std::holds_alternative<PublishRequested>(session.next(rest).value()));
    session.refuse_publish("Unknown stream key.");
    const std::string said(session.output().begin(), session.output().end());
    EXPECT_THAT(said, HasSubstr("NetStream.Publish.BadName"));
    EXPECT_THAT(said, HasSubstr("Unknown stream key."));
    EXPECT_EQ(session.state(), Session::State::closed);
}

TEST(RtmpSession, TellsAPublisherThatItsPublishIsEnded) {
    Driven driven;
    driven.feed(ClientBytes{}.begin().bytes);
    driven.session.end_publish("The key was changed.");
    driven.output = driven.session.output();
    EXPECT_THAT(driven.said(), HasSubstr("NetStream.Publish.Rejected"));
    EXPECT_THAT(driven.said(), HasSubstr("The key was changed."));
}

TEST(RtmpSession, PublishesAgainOnTheSameConnection) {
    ClientBytes client;
    client.begin("ONE").audio(0, testing::aac_config()).command({"closeStream", 0.0, amf0::Null{}}, 1);
    client.audio(20, testing::aac_frame());  // was on its way
    client.publish("TWO").audio(900'000, testing::aac_config()).audio(900'000, testing::aac_frame());
    Driven driven;
    driven.feed(client.bytes);
    EXPECT_EQ(driven.failure, "");
    const std::string encoder = " FMLE/3.0 (compatible; test)";
    EXPECT_EQ(driven.events, (std::vector<std::string>{"publish live ONE" + encoder, "configured audio 3",
                                                       "ended", "publish live TWO" + encoder,
                                                       "configured audio 3", "audio 900000 900000 key 50"}));
}

TEST(RtmpSession, IgnoresCommandsThatItDoesNotKnow) {
    ClientBytes client;
    client.handshake()
        .connect()
        .command({"_checkbw", 2.0, amf0::Null{}})
        .command({"getStreamLength", 3.0, amf0::Null{}, "x"});
    client.command({"FCUnpublish", 4.0, amf0::Null{}, "KEY"});
    Driven driven;
    EXPECT_EQ(driven.feed(client.bytes).failure, "");
    EXPECT_EQ(driven.session.state(), Session::State::connected);
}

TEST(RtmpSession, AnswersAPing) {
    Driven driven;
    driven.feed(
        ClientBytes{}
            .handshake()
            .message({.chunk_stream_id = 2, .type = MessageType::user_control}, Bytes{0, 6, 1, 2, 3, 4})
            .bytes);
    const auto messages = driven.messages();
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].type, MessageType::user_control);
    EXPECT_EQ(messages[0].body, (Bytes{0, 7, 1, 2, 3, 4}));
}

TEST(RtmpSession, AcknowledgesAtHalfOfTheWindow) {
    ClientBytes client;
    Bytes window;
    append_number(window, 200'000, 4);
    client.begin().set_chunk_size(65'536).message(
        {.chunk_stream_id = 2, .type = MessageType::window_acknowledgement_size}, window);
    client.audio(0, testing::aac_config());
    for (std::uint32_t i = 0; i < 10; ++i)
        client.audio(i * 20, testing::aac_frame(50'000));
    Driven driven;
    driven.feed(client.bytes);
    std::vector<std::uint32_t> sequences;
    for (const Message& message : driven.messages()) {
        if (message.type == MessageType::acknowledgement) sequences.push_back(read_u32(message.body.data()));
    }
    ASSERT_EQ(sequences.size(), 5u);
    EXPECT_TRUE(std::ranges::is_sorted(sequences));
    EXPECT_GE(sequences[0], 100'000u);
    EXPECT_LE(sequences[0], 200'000u);
}

TEST(RtmpSession, LimitsAnswersThatNobodyReads) {
    const Bytes ping{0, 6, 0, 0, 0, 0};
    const std::size_t answer_bytes = 12 + 6;
    const auto pings = [&](std::size_t count) {
        ClientBytes client;
        client.handshake();
        for (std::size_t i = 0; i < count; ++i)
            client.message({.chunk_stream_id = 2, .type = MessageType::user_control}, ping);
        return client.bytes;
    };
    const Limits limits{.output_bytes_max = 3'073 + 10 * answer_bytes};
    EXPECT_EQ(Driven(limits).feed(pings(10)).failure, "");
    EXPECT_EQ(Driven(limits).feed(pings(11)).failure, "too_large: Too many answers are asked for.");
}

TEST(RtmpSession, TakesTheStreamKeyFromWhereEncodersPutIt) {
    const std::vector<std::array<std::string, 3>> cases{
        {"live", "KEY", "KEY"},
        {"live", "KEY?bandwidthtest=true", "KEY"},
        {"live", "/KEY", "KEY"},
        {"live", "KEY/", "KEY"},
        {"live/room", "KEY", "KEY"},
        {"live/KEY", "", "KEY"},
        {"live/KEY/", "", "KEY"},
        {"live/KEY?x=/y", "", "KEY"},
        {"live", "", ""},
        {"live/", "", ""},
        {"live", "a b", ""},
        {"live", "\xC3\xA4", ""},
        {"live", std::string(128, 'k'), std::string(128, 'k')},
        {"live", std::string(129, 'k'), ""},
    };
    for (const auto& [app, name, key] : cases)
        EXPECT_EQ(stream_key_of(app, name), key) << app << " | " << name;
}

}  // namespace
}  // namespace spaktok::media::rtmp
