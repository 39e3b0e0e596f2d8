// One publisher's connection as a state machine without I/O: bytes in, events and bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "media/rtmp/amf0.h"
#include "media/rtmp/chunk_reader.h"
#include "media/rtmp/chunk_writer.h"
#include "media/rtmp/handshake.h"
#include "media/rtmp/track_reader.h"

namespace spaktok::media::rtmp {

// The caller answers with accept_publish() or refuse_publish() before it reads on.
struct PublishRequested {
    std::string app;
    std::string stream_key;
    std::string encoder;  // what the client calls itself; may be empty
};
// The publisher said so (FCUnpublish, closeStream or deleteStream); it may publish again on the same
// connection.
struct PublishEnded {};

using Event = std::variant<PublishRequested, PublishEnded, TrackConfigured, AccessUnit>;

// The stream key of a publish: the last part of the stream name without its query, or else of the
// application's path
// ("live/KEY"). Empty where there is none, or where it is not 1–128 visible ASCII characters.
std::string stream_key_of(std::string_view app, std::string_view stream_name);

class Session {
  public:
    enum class State {
        handshake,
        connecting,  // waits for connect
        connected,   // waits for publish
        asked,       // waits for the caller's answer to PublishRequested
        publishing,
        unpublished,  // as connected; audio and video that is still on its way is ignored
        closed,
    };

    // `random` outlives the session.
    Session(const Limits& limits, Random& random);

    // Consumes from the front of `bytes` until something happens; nothing when all was consumed first. Not
    // while `asked` or `closed`. Throws Error with a reason of failure.h; the session is then closed, and
    // what output() holds says why to the peer, where the protocol has words for it.
    std::optional<Event> next(std::span<const std::uint8_t>& bytes);

    void accept_publish();
    // Closes; the peer shows the description.
    void refuse_publish(std::string_view description);
    // Closes; tells a publisher that the server ends its publish.
    void end_publish(std::string_view description);

    State state() const { return state_; }
    // As the metadata says, or else the client's connect.
    const std::string& encoder() const { return encoder_; }
    // Access units left out since the publish began.
    std::size_t unusable_access_units() const { return tracks_.unusable(); }

    // To be sent, and then cleared, by the caller.
    std::vector<std::uint8_t>& output() { return output_; }

    static constexpr std::uint32_t window_bytes = 2'500'000;  // of acknowledgements, as Adobe's server has it
    static constexpr std::uint32_t window_bytes_min =
        64 * 1024;  // a client that asks for more acknowledgements gets these
    static constexpr std::uint32_t chunk_size_out = 4'096;

  private:
    struct Command {
        std::string name;
        double transaction = 0;
        std::uint32_t stream_id = 0;
        std::vector<amf0::Value> values;

        // Null where there is no such value, or one of another type.
        const std::string* text(std::size_t index) const {
            return index < values.size() ? values[index].text() : nullptr;
        }
    };

    std::optional<Event> handle(Message&& message);
    std::optional<Event> handle_media(Message&& message);
    void handle_user_control(const Message& message);
    void handle_window_size(const Message& message);
    void handle_data(const Message& message);
    std::optional<Event> handle_command(const Message& message);
    std::optional<Event> dispatch(const Command& command);
    void connect(const Command& command);
    void create_stream(const Command& command);
    std::optional<Event> publish(const Command& command);
    std::optional<Event> unpublish();
    void acknowledge(std::size_t bytes);

    [[noreturn]] void reject_connect(double transaction, std::string_view description);
    void answer(double transaction, amf0::Value properties, amf0::Value information);
    void send_command(std::uint32_t stream_id, std::span<const amf0::Value> values);
    void send_status(std::string_view level, std::string_view code, std::string_view description);

    Limits limits_;
    State state_ = State::handshake;
    Handshake handshake_;
    ChunkReader reader_;
    ChunkWriter writer_;
    TrackReader tracks_;
    std::string app_;
    std::string encoder_;
    std::uint32_t streams_created_ = 0;
    std::uint32_t publish_stream_id_ = 0;
    std::uint32_t window_bytes_ = window_bytes;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t acknowledged_bytes_ = 0;
    std::vector<std::uint8_t> output_;
};

}  // namespace spaktok::media::rtmp
