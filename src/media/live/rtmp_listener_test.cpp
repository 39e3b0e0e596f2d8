#include "media/live/rtmp_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "media/live/rtmp_testing.h"
#include "media/rtmp/session.h"

namespace spaktok::media {

namespace {

using testing::Bytes;
using testing::Client;
using testing::ClientBytes;
using testing::Publish;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Also under ThreadSanitizer.
class RtmpListenerConcurrent : public testing::RtmpListenerFixture {};

double closed_for(const std::string& reason) {
    const std::string text = metrics::expose();
    const std::string series = "spaktok_rtmp_closed_total{reason=\"" + reason + "\"} ";
    const auto at = text.find(series);
    EXPECT_NE(at, std::string::npos) << reason;
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size()));
}

TEST_F(RtmpListenerConcurrent, HandsOnWhatIsPublished) {
    listen();
    Client client = publish("KEY");
    client.send(some_media(5));
    const Publish publish = gate_.await("KEY", [](const Publish& each) {
        return each.units.contains(false) && each.units.at(false).size() == 5;
    });
    EXPECT_EQ(publish.request.protocol, "rtmp");
    EXPECT_THAT(publish.request.remote_address, StartsWith("127.0.0.1:"));
    EXPECT_EQ(publish.configs.at(true), (std::vector<TrackConfig>{{Codec::h264, rtmp::testing::avcc}}));
    EXPECT_EQ(publish.configs.at(false), (std::vector<TrackConfig>{{Codec::aac, rtmp::testing::asc}}));
    ASSERT_EQ(publish.units.at(true).size(), 5u);
    EXPECT_EQ(publish.units.at(true)[0].data, rtmp::testing::idr_picture());
    EXPECT_TRUE(publish.units.at(true)[0].keyframe);
    EXPECT_FALSE(publish.units.at(true)[1].keyframe);
}

TEST_F(RtmpListenerConcurrent, HandsOnWhatFollowsThePublishInTheSamePacket) {
    listen();
    Client client = connect();
    client.send(rtmp::testing::joined({ClientBytes{}.begin().bytes, some_media(4)}));
    gate_.await("KEY", [](const Publish& each) {
        return each.units.contains(false) && each.units.at(false).size() == 4;
    });
}

TEST_F(RtmpListenerConcurrent, TellsTheSinkThatThePublisherHasGone) {
    listen();
    {
        Client client = publish("dropped");
    }
    EXPECT_EQ(gate_.await_end("dropped").ended, "The peer closed the connection.");
    Client client = publish("ended");
    client.send(ClientBytes{}.command({"deleteStream", 9.0, rtmp::amf0::Null{}, 1.0}).bytes);
    EXPECT_EQ(gate_.await_end("ended").ended, "The publisher ended the publish.");
    EXPECT_TRUE(client.reads("NetStream.Unpublish.Success"));
}

TEST_F(RtmpListenerConcurrent, SpreadsConnectionsOverTheThreads) {
    listen();
    std::vector<Client> clients;
    std::set<std::size_t> threads;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(publish("KEY" + std::to_string(i)));
        threads.insert(
            gate_.await("KEY" + std::to_string(i), [](const Publish&) { return true; }).request.io_thread);
    }
    EXPECT_EQ(threads, (std::set<std::size_t>{0, 1}));
}

TEST_F(RtmpListenerConcurrent, EndsAPublishWithinASecondOfDisconnect) {
    listen();
    Client client = publish("KEY");
    client.send(some_media());
    const auto disconnect =
        gate_.await("KEY", [](const Publish& each) { return each.units.contains(true); }).request.disconnect;
    const auto asked = std::chrono::steady_clock::now();
    std::thread other([&] { disconnect("The stream key was changed."); });
    disconnect("Twice does no harm.");
    other.join();
    EXPECT_TRUE(client.is_closed(1s));
    EXPECT_LT(std::chrono::steady_clock::now() - asked, 1s);
    EXPECT_THAT(client.received(), HasSubstr("NetStream.Publish.Rejected"));
    EXPECT_NE(gate_.await_end("KEY").ended, "");
    await_connections(0);
    disconnect("After the end it does nothing.");
}

TEST_F(RtmpListenerConcurrent, EndsAPublishWhoseSenderNeverStopsSending) {
    listen();
    Client client = publish("KEY");
    ClientBytes one;
    one.set_chunk_size(4'096).video(0, rtmp::testing::avc_config());
    client.send(one.bytes);
    std::atomic<bool> done = false;
    std::thread sender([&] {
        ClientBytes frame;
        frame.chunk_size = 4'096;
        frame.video(0, rtmp::testing::avc_frame(true));
        while (!done)
            client.send(frame.bytes);
    });
    const auto request =
        gate_.await("KEY", [](const Publish& each) { return each.units.contains(true); }).request;
    request.disconnect("Enough.");
    EXPECT_EQ(gate_.await_end("KEY").ended, "Enough.");
    await_connections(0);
    done = true;
    sender.join();
}

TEST_F(RtmpListenerConcurrent, StopsPolitely) {
    RtmpListener& listener = listen();
    Client publisher = publish("KEY");
    Client idle = connect();
    Client waiting = connect();
    waiting.send(ClientBytes{}.begin("slow").bytes);
    await_connections(3);
    listener.stop(500ms);
    EXPECT_EQ(listener.connections(), 0u);
    EXPECT_TRUE(publisher.is_closed());
    EXPECT_THAT(publisher.received(), HasSubstr("The server is stopping."));
    EXPECT_TRUE(idle.is_closed());
    EXPECT_TRUE(waiting.is_closed());
    EXPECT_EQ(gate_.await_end("KEY").ended, "The server is stopping.");
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket late(context);
    boost::system::error_code error;
    late.connect({boost::asio::ip::address_v4::loopback(), listener.port()}, error);
    EXPECT_TRUE(error) << "nobody listens any more";
    listener.stop(0ms);
}

TEST_F(RtmpListenerConcurrent, StopsAtOnceWithoutGrace) {
    RtmpListener& listener = listen();
    std::vector<Client> clients;
    for (int i = 0; i < 20; ++i)
        clients.push_back(publish("KEY" + std::to_string(i)));
    listener.stop(0ms);
    EXPECT_EQ(listener.connections(), 0u);
    for (int i = 0; i < 20; ++i)
        EXPECT_NE(gate_.await_end("KEY" + std::to_string(i)).ended, "");
}

struct Refused {
    std::string name;
    Bytes bytes;
    std::string reason;
    std::string told;
};
void PrintTo(const Refused& each, std::ostream* out) {
    *out << each.name;
}

class RtmpListenerRefuses : public testing::RtmpListenerFixture,
                            public ::testing::WithParamInterface<Refused> {};

TEST_P(RtmpListenerRefuses, WithAClearClose) {
    listen();
    const double before = closed_for(GetParam().reason);
    Client client = connect();
    client.send(GetParam().bytes);
    EXPECT_TRUE(client.is_closed());
    EXPECT_THAT(client.received(), HasSubstr(GetParam().told));
    await_connections(0);
    EXPECT_EQ(closed_for(GetParam().reason), before + 1);
}

Bytes junk(std::size_t size, std::uint8_t first) {
    SeededRandom random(size);
    Bytes bytes(size);
    random.fill(bytes);
    bytes[0] = first;
    return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    Table, RtmpListenerRefuses,
    ::testing::Values(
        Refused{"AnUnknownKey", ClientBytes{}.begin("unknown").bytes, "key_refused",
                "This stream key is not known."},
        Refused{"WhenFull", ClientBytes{}.begin("full").bytes, "unavailable", "Too many people are live."},
        Refused{"WhenTheGateFails", ClientBytes{}.begin("broken").bytes, "internal", "The server failed."},
        Refused{"WhatTheSinkCannotCarry",
                ClientBytes{}.begin("hevc-only").video(0, rtmp::testing::avc_config()).bytes, "unsupported",
                "Only HEVC is carried here."},
        Refused{"Speex", ClientBytes{}.begin().audio(0, {0xB2, 1}).bytes, "unsupported",
                "Speex is not supported"},
        Refused{
            "Players",
            ClientBytes{}.handshake().connect().command({"play", 2.0, rtmp::amf0::Null{}, "KEY"}, 1).bytes,
            "play_refused", "NetStream.Play.Failed"},
        Refused{"Http", rtmp::testing::text_bytes("GET / HTTP/1.1\r\n\r\n"), "not_rtmp", ""},
        Refused{"JunkAfterTheHandshake",
                rtmp::testing::joined({ClientBytes{}.handshake().bytes, junk(100'000, 0xC3)}), "malformed",
                ""},
        Refused{"JunkFromTheStart", junk(100'000, 0x47), "not_rtmp", ""},
        Refused{"OversizeMessages",
                rtmp::testing::joined({ClientBytes{}.begin().bytes,
                                       rtmp::testing::chunk_header({.length = 0xFFFFFF,
                                                                    .type = rtmp::MessageType::video})}),
                "too_large", "A message of type 9"}),
    [](const auto& info) { return info.param.name; });

class RtmpListenerLimits : public testing::RtmpListenerFixture {};

TEST_F(RtmpListenerLimits, ClosesASlowHandshake) {
    listen({.handshake_max = 100ms, .publish_max = 60s});
    Client client = connect();
    client.send({3, 0, 0});
    EXPECT_TRUE(client.is_closed(5s));
    await_connections(0);
}

TEST_F(RtmpListenerLimits, ClosesAConnectionThatNeverPublishes) {
    listen({.handshake_max = 60s, .publish_max = 100ms});
    Client client = connect();
    client.send(ClientBytes{}.handshake().connect().bytes);
    EXPECT_TRUE(client.is_closed(5s));
    EXPECT_THAT(client.received(), HasSubstr("NetConnection.Connect.Success"));
}

TEST_F(RtmpListenerLimits, ClosesWhereTheGateDoesNotAnswer) {
    listen({.publish_max = 100ms});
    Client client = connect();
    client.send(ClientBytes{}.begin("slow").bytes);
    EXPECT_TRUE(client.is_closed(5s));
    EXPECT_THAT(client.received(), HasSubstr("NetStream.Publish.BadName"));
}

TEST_F(RtmpListenerLimits, ClosesASilentPublisher) {
    listen({.publisher_silence_max = 300ms});
    Client client = publish("KEY");
    client.send(some_media());
    // Pings are no broadcast.
    client.send(
        ClientBytes{}
            .message({.chunk_stream_id = 2, .type = rtmp::MessageType::user_control}, Bytes{0, 6, 0, 0, 0, 1})
            .bytes);
    EXPECT_TRUE(client.is_closed(5s));
    EXPECT_EQ(gate_.await_end("KEY").ended, "The publisher sent no audio or video for too long.");
    EXPECT_THAT(client.received(), HasSubstr("no audio or video"));
}

TEST_F(RtmpListenerLimits, KeepsAPublisherThatSendsOn) {
    listen({.publisher_silence_max = 400ms});
    Client client = publish("KEY");
    client.send(some_media());
    ClientBytes frame;
    frame.chunk_size = 4'096;
    frame.audio(0, rtmp::testing::aac_frame());
    const auto until = std::chrono::steady_clock::now() + 1'500ms;
    while (std::chrono::steady_clock::now() < until) {
        client.send(frame.bytes);
        EXPECT_FALSE(client.is_closed(50ms));
    }
}

TEST_F(RtmpListenerLimits, ClosesAPeerThatDoesNotReadItsAnswers) {
    listen({.write_max = 200ms});
    Client client = connect();
    boost::system::error_code error;
    client.socket().set_option(boost::asio::socket_base::receive_buffer_size(2'048), error);
    client.send(ClientBytes{}.handshake().connect().bytes);
    client.socket().non_blocking(true);
    ClientBytes pings;
    for (int i = 0; i < 500; ++i)
        pings.message({.chunk_stream_id = 2, .type = rtmp::MessageType::user_control},
                      Bytes{0, 6, 0, 0, 0, 1});
    const auto until = std::chrono::steady_clock::now() + 20s;
    std::size_t at = 0;
    while (listener_->connections() == 1 && std::chrono::steady_clock::now() < until) {
        at += client.socket().write_some(
            boost::asio::buffer(pings.bytes.data() + at, pings.bytes.size() - at), error);
        if (at == pings.bytes.size()) at = 0;
        std::this_thread::yield();
    }
    EXPECT_EQ(listener_->connections(), 0u);
}

TEST_F(RtmpListenerLimits, RefusesOneConnectionMoreThanAllowed) {
    listen({.connections_max = 2});
    Client first = connect();
    Client second = connect();
    await_connections(2);
    Client third = connect();
    EXPECT_TRUE(third.is_closed());
    EXPECT_FALSE(first.is_closed(50ms));
    first.socket().close();
    await_connections(1);
    Client fourth = publish("KEY");
}

TEST_F(RtmpListenerLimits, RefusesOneConnectionMoreOfAnAddress) {
    listen({.connections_per_address_max = 2});
    const double before = closed_for("address_max");
    Client first = connect();
    Client second = connect();
    await_connections(2);
    Client third = connect();
    EXPECT_TRUE(third.is_closed());
    EXPECT_EQ(closed_for("address_max"), before + 1);
    EXPECT_FALSE(second.is_closed(50ms));
}

TEST_F(RtmpListenerLimits, RefusesAnAddressThatIsNone) {
    for (const std::string listen : {"", "1935", "0.0.0.0", "0.0.0.0:", "0.0.0.0:x", "0.0.0.0:65536",
                                     "0.0.0.0:1x", "[::1:1", "host.invalid:1"}) {
        RtmpListener listener({.listen = listen}, gate_, threads_, random_);
        try {
            listener.start();
            ADD_FAILURE() << listen;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << listen;
        }
    }
}

TEST_F(RtmpListenerLimits, RefusesAnAddressThatIsTaken) {
    RtmpListener& taken = listen();
    RtmpListener other({.listen = "127.0.0.1:" + std::to_string(taken.port())}, gate_, threads_, random_);
    try {
        other.start();
        ADD_FAILURE() << "two listeners on one port";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable);
        EXPECT_THAT(error.message(), HasSubstr(std::to_string(taken.port())));
    }
}

}  // namespace
}  // namespace spaktok::media
