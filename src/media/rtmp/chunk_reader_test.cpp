#include "media/rtmp/chunk_reader.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/rtmp/testing.h"

namespace spaktok::media::rtmp {
namespace {

using testing::append;
using testing::append_basic_header;
using testing::append_number;
using testing::Bytes;
using testing::chunk_header;
using testing::ClientBytes;
using testing::joined;

struct Read {
    MessageType type;
    std::uint32_t stream_id;
    std::uint32_t timestamp;
    Bytes payload;  // head and body
    bool operator==(const Read&) const = default;
};

void PrintTo(const Read& read, std::ostream* out) {
    *out << "type " << static_cast<int>(read.type) << " stream " << read.stream_id << " at " << read.timestamp
         << " of " << read.payload.size() << " bytes";
}

std::vector<Read> read_into(ChunkReader& reader, std::span<const std::uint8_t> bytes) {
    std::vector<Read> all;
    while (const auto message = reader.next(bytes)) {
        Bytes payload(message->head_bytes().begin(), message->head_bytes().end());
        append(payload, message->body);
        all.push_back({message->type, message->stream_id, message->timestamp, payload});
    }
    return all;
}

std::vector<Read> read_all(const Bytes& bytes, const Limits& limits = {}) {
    ChunkReader reader(limits);
    return read_into(reader, bytes);
}

std::string reason_of(const Bytes& bytes, const Limits& limits = {}) {
    try {
        read_all(bytes, limits);
    } catch (const Error& error) {
        return error.reason();
    }
    return "";
}

Bytes numbered(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
    return bytes;
}

constexpr auto data_type = MessageType::data_amf0;

TEST(ChunkReader, ReadsAMessageOfOneChunk) {
    ClientBytes client;
    client.message({.timestamp = 77, .type = data_type, .stream_id = 0x01020304}, numbered(5));
    EXPECT_EQ(read_all(client.bytes), (std::vector<Read>{{data_type, 0x01020304, 77, numbered(5)}}));
}

TEST(ChunkReader, ReadsAnEmptyMessage) {
    ClientBytes client;
    client.message({.type = data_type}, {}).message({.type = data_type}, numbered(1));
    EXPECT_EQ(read_all(client.bytes).size(), 2u);
}

TEST(ChunkReader, JoinsChunksAtEverySizeAroundTheirs) {
    for (const std::size_t size : {127u, 128u, 129u, 255u, 256u, 257u, 5'000u}) {
        ClientBytes client;
        client.message({.type = data_type}, numbered(size));
        EXPECT_EQ(read_all(client.bytes), (std::vector<Read>{{data_type, 0, 0, numbered(size)}})) << size;
    }
}

TEST(ChunkReader, ReadsChunkStreamIdsOfOneTwoAndThreeBytes) {
    for (const std::uint32_t id : {2u, 3u, 63u, 64u, 65u, 319u, 320u, 1'000u, 65'599u}) {
        ClientBytes client;
        client.message({.chunk_stream_id = id, .type = data_type}, numbered(300));
        EXPECT_EQ(read_all(client.bytes), (std::vector<Read>{{data_type, 0, 0, numbered(300)}})) << id;
    }
}

// As section 5.3.1.2 has them: 0 absolute, 1 and 2 deltas, 3 the delta again.
TEST(ChunkReader, ReadsTheFourFormatsOfHeaders) {
    const Bytes body = numbered(4);
    Bytes bytes;
    append(bytes,
           joined({chunk_header(
                       {.format = 0, .timestamp = 1'000, .length = 4, .type = data_type, .stream_id = 1}),
                   body}));
    append(bytes,
           joined({chunk_header({.format = 1, .timestamp = 20, .length = 2, .type = data_type}), {7, 7}}));
    append(bytes, joined({chunk_header({.format = 2, .timestamp = 30}), {8, 8}}));
    append(bytes, joined({chunk_header({.format = 3}), {9, 9}}));
    EXPECT_EQ(read_all(bytes), (std::vector<Read>{{data_type, 1, 1'000, body},
                                                  {data_type, 1, 1'020, {7, 7}},
                                                  {data_type, 1, 1'050, {8, 8}},
                                                  {data_type, 1, 1'080, {9, 9}}}));
}

TEST(ChunkReader, TakesTheTimestampOfAFormat0AsTheDeltaOfAFormat3) {
    const Bytes bytes = joined({chunk_header({.format = 0, .timestamp = 40, .length = 1, .type = data_type}),
                                {1},
                                chunk_header({.format = 3}),
                                {2}});
    EXPECT_EQ(read_all(bytes), (std::vector<Read>{{data_type, 0, 40, {1}}, {data_type, 0, 80, {2}}}));
}

TEST(ChunkReader, LetsTimestampsWrap) {
    const Bytes bytes =
        joined({chunk_header({.format = 0, .timestamp = 0xFFFFFFF0, .length = 1, .type = data_type}),
                {1},
                chunk_header({.format = 2, .timestamp = 0x20}),
                {2}});
    EXPECT_EQ(read_all(bytes),
              (std::vector<Read>{{data_type, 0, 0xFFFFFFF0, {1}}, {data_type, 0, 0x10, {2}}}));
}

TEST(ChunkReader, ReadsExtendedTimestampsFromTheirLimitOn) {
    for (const std::uint32_t timestamp : {0xFFFFFEu, 0xFFFFFFu, 0x1000000u, 0xFFFFFFFFu}) {
        ClientBytes client;
        client.message({.timestamp = timestamp, .type = data_type}, numbered(300));
        EXPECT_EQ(read_all(client.bytes), (std::vector<Read>{{data_type, 0, timestamp, numbered(300)}}))
            << timestamp;
    }
}

TEST(ChunkReader, ReadsEncodersThatSendTheExtendedTimestampOnlyOnce) {
    ClientBytes client;
    client.repeats_extended = false;
    for (const std::size_t size : {300u, 258u, 1'000u})
        client.message({.timestamp = 0x2000000, .type = data_type}, numbered(size));
    const auto all = read_all(client.bytes);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].payload, numbered(300));
    EXPECT_EQ(all[1].payload, numbered(258));
    EXPECT_EQ(all[2].payload, numbered(1'000));
}

TEST(ChunkReader, ReadsAnExtendedTimestampBeforeAChunkOfLessThanFourBytes) {
    ClientBytes client;
    client.message({.timestamp = 0x2000000, .type = data_type}, numbered(128 + 2));
    EXPECT_EQ(read_all(client.bytes), (std::vector<Read>{{data_type, 0, 0x2000000, numbered(130)}}));
}

TEST(ChunkReader, KeepsInterleavedMessagesApart) {
    const Bytes first = numbered(200);
    const Bytes second(150, 0x55);
    Bytes bytes;
    const auto part = [](const Bytes& of, std::size_t from, std::size_t to) {
        return Bytes(of.begin() + static_cast<std::ptrdiff_t>(from),
                     of.begin() + static_cast<std::ptrdiff_t>(to));
    };
    append(bytes, chunk_header({.chunk_stream_id = 4, .length = 200, .type = data_type, .stream_id = 1}));
    append(bytes, part(first, 0, 128));
    append(bytes,
           chunk_header(
               {.chunk_stream_id = 70, .timestamp = 9, .length = 150, .type = data_type, .stream_id = 2}));
    append(bytes, part(second, 0, 128));
    append_basic_header(bytes, 3, 4);
    append(bytes, part(first, 128, 200));
    append_basic_header(bytes, 3, 70);
    append(bytes, part(second, 128, 150));
    EXPECT_EQ(read_all(bytes), (std::vector<Read>{{data_type, 1, 0, first}, {data_type, 2, 9, second}}));
}

TEST(ChunkReader, AppliesANewChunkSizeFromTheNextChunkOn) {
    ClientBytes client;
    client.message({.type = data_type}, numbered(300))
        .set_chunk_size(1)
        .message({.type = data_type}, numbered(10));
    client.set_chunk_size(4'096).message({.type = data_type}, numbered(4'097));
    const auto all = read_all(client.bytes);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[1].payload, numbered(10));
    EXPECT_EQ(all[2].payload, numbered(4'097));
}

TEST(ChunkReader, RefusesChunkSizesThatAreNone) {
    const auto set = [](std::uint32_t size) {
        Bytes body;
        append_number(body, size, 4);
        return ClientBytes{}.message({.chunk_stream_id = 2, .type = MessageType::set_chunk_size}, body).bytes;
    };
    EXPECT_EQ(reason_of(set(0)), "malformed");
    EXPECT_EQ(reason_of(set(1)), "");
    EXPECT_EQ(reason_of(set(0x7FFFFFFF)), "");
    EXPECT_EQ(reason_of(set(0x80000000)), "malformed");
    EXPECT_EQ(reason_of(ClientBytes{}.message({.type = MessageType::set_chunk_size}, Bytes(3)).bytes),
              "malformed");
}

TEST(ChunkReader, ForgetsAnAbortedMessage) {
    Bytes bytes = chunk_header({.chunk_stream_id = 5, .length = 1'000, .type = data_type});
    append(bytes, numbered(128));
    append(
        bytes,
        ClientBytes{}.message({.chunk_stream_id = 2, .type = MessageType::abort}, Bytes{0, 0, 0, 5}).bytes);
    ChunkReader reader{Limits{}};
    EXPECT_TRUE(read_into(reader, bytes).empty());
    EXPECT_EQ(reader.pending_bytes(), 0u);
    const auto after =
        read_into(reader, ClientBytes{}.message({.chunk_stream_id = 5, .type = data_type}, Bytes{1}).bytes);
    EXPECT_EQ(after, (std::vector<Read>{{data_type, 0, 0, {1}}}));
}

TEST(ChunkReader, CutsTheHeadOfATagOff) {
    ChunkReader reader{Limits{}};
    const Bytes tag = testing::avc_frame(true);
    const Bytes bytes = ClientBytes{}.video(5, tag).bytes;
    std::span<const std::uint8_t> rest{bytes};
    const auto message = reader.next(rest);
    ASSERT_TRUE(message);
    EXPECT_EQ(Bytes(message->head_bytes().begin(), message->head_bytes().end()),
              Bytes(tag.begin(), tag.begin() + 5));
    EXPECT_EQ(message->body, Bytes(tag.begin() + 5, tag.end()));
    EXPECT_EQ(message->body.capacity(), message->body.size());  // one allocation, of the right size
}

TEST(ChunkReader, RefusesWhatBreaksTheFormat) {
    const Bytes begun = joined({chunk_header({.length = 200, .type = data_type}), numbered(128)});
    EXPECT_EQ(reason_of(chunk_header({.format = 2})), "malformed") << "format 2 first";
    EXPECT_EQ(reason_of(chunk_header({.format = 3})), "malformed") << "format 3 first";
    EXPECT_EQ(reason_of(joined({begun, chunk_header({.format = 0, .length = 1, .type = data_type})})),
              "malformed");
    EXPECT_EQ(reason_of(joined({begun, chunk_header({.format = 1, .length = 1, .type = data_type})})),
              "malformed");
    EXPECT_EQ(reason_of(chunk_header({.length = 1, .type = static_cast<MessageType>(99)})), "malformed");
    EXPECT_EQ(reason_of(chunk_header({.length = 1, .type = MessageType::aggregate})), "unsupported");
}

TEST(ChunkReader, AcceptsAFormat1AsTheFirstOnAChunkStream) {
    const Bytes bytes =
        joined({chunk_header({.format = 1, .timestamp = 5, .length = 1, .type = data_type}), {1}});
    EXPECT_EQ(read_all(bytes), (std::vector<Read>{{data_type, 0, 5, {1}}}));
}

TEST(ChunkReader, HasALimitForEachType) {
    const Limits limits;
    const std::vector<std::pair<MessageType, std::size_t>> cases{
        {MessageType::set_chunk_size, limits.control_bytes_max},
        {MessageType::abort, limits.control_bytes_max},
        {MessageType::acknowledgement, limits.control_bytes_max},
        {MessageType::user_control, limits.control_bytes_max},
        {MessageType::window_acknowledgement_size, limits.control_bytes_max},
        {MessageType::set_peer_bandwidth, limits.control_bytes_max},
        {MessageType::audio, limits.audio_bytes_max},
        {MessageType::video, limits.video_bytes_max},
        {MessageType::data_amf0, limits.command_bytes_max},
        {MessageType::data_amf3, limits.command_bytes_max},
        {MessageType::command_amf0, limits.command_bytes_max},
        {MessageType::command_amf3, limits.command_bytes_max},
        {MessageType::shared_object_amf0, limits.command_bytes_max},
        {MessageType::shared_object_amf3, limits.command_bytes_max},
    };
    for (const auto& [type, bytes_max] : cases) {
        const auto length = static_cast<std::uint32_t>(bytes_max);
        EXPECT_EQ(reason_of(chunk_header({.length = length, .type = type})), "") << static_cast<int>(type);
        EXPECT_EQ(reason_of(chunk_header({.length = length + 1, .type = type})), "too_large")
            << static_cast<int>(type);
    }
}

TEST(ChunkReader, LimitsWhatHasBegunOnAllChunkStreams) {
    const Limits limits{.video_bytes_max = 1'000, .pending_bytes_max = 1'500};
    const auto begin = [](std::uint32_t id, std::uint32_t length) {
        return joined({chunk_header({.chunk_stream_id = id, .length = length, .type = MessageType::video}),
                       numbered(128)});
    };
    EXPECT_EQ(reason_of(joined({begin(4, 1'000), begin(5, 500)}), limits), "");
    EXPECT_EQ(reason_of(joined({begin(4, 1'000), begin(5, 501)}), limits), "too_large");
}

TEST(ChunkReader, LimitsTheNumberOfChunkStreams) {
    const auto streams = [](std::uint32_t count) {
        ClientBytes client;
        for (std::uint32_t id = 0; id < count; ++id)
            client.message({.chunk_stream_id = 3 + id, .type = data_type}, Bytes{1});
        return client.bytes;
    };
    const auto allowed = static_cast<std::uint32_t>(Limits{}.chunk_streams_max);
    EXPECT_EQ(reason_of(streams(allowed)), "");
    EXPECT_EQ(reason_of(streams(allowed + 1)), "too_large");
}

TEST(ChunkReader, ReadsTheSameHoweverTheBytesAreCut) {
    ClientBytes client;
    client.message({.timestamp = 0x1234567, .type = data_type}, numbered(300));
    client.repeats_extended = false;
    client.message({.chunk_stream_id = 400, .timestamp = 0x1234567, .type = data_type}, numbered(270));
    client.video(3, testing::avc_frame(true)).set_chunk_size(50).audio(5, testing::aac_frame());
    client.video(9, testing::ex_video_tag(1, true, "hvc1", numbered(90)));
    const auto whole = read_all(client.bytes);
    ASSERT_EQ(whole.size(), 5u);
    for (std::size_t cut = 0; cut <= client.bytes.size(); ++cut) {
        ChunkReader reader{Limits{}};
        auto pieces = read_into(reader, std::span{client.bytes}.first(cut));
        const auto rest = read_into(reader, std::span{client.bytes}.subspan(cut));
        pieces.insert(pieces.end(), rest.begin(), rest.end());
        ASSERT_EQ(pieces, whole) << cut;
    }
    ChunkReader reader{Limits{}};
    std::vector<Read> bytewise;
    for (const std::uint8_t& byte : client.bytes) {
        for (auto& read : read_into(reader, {&byte, 1}))
            bytewise.push_back(std::move(read));
    }
    EXPECT_EQ(bytewise, whole);
}

}  // namespace
}  // namespace spaktok::media::rtmp
