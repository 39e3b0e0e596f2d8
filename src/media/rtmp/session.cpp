#include "media/rtmp/session.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "media/rtmp/failure.h"

namespace spaktok::media::rtmp {

Session::Session(const Limits& limits, Random& random)
    : limits_(limits), handshake_(random), reader_(limits) {}

std::optional<Event> Session::next(std::span<const std::uint8_t>& bytes) {
    SPAKTOK_ASSERT(state_ != State::asked && state_ != State::closed);
    try {
        if (state_ == State::handshake) {
            if (!handshake_.read(bytes, output_)) return std::nullopt;
            state_ = State::connecting;
        }
        while (true) {
            const std::size_t before = bytes.size();
            auto message = reader_.next(bytes);
            acknowledge(before - bytes.size());
            if (!message) return std::nullopt;
            auto event = handle(std::move(*message));
            if (output_.size() > limits_.output_bytes_max)
                fail(reason::too_large, "Too many answers are asked for.");
            if (event) return event;
        }
    } catch (const Error& error) {
        if (state_ == State::publishing) send_status("error", "NetStream.Publish.Rejected", error.message());
        state_ = State::closed;
        throw;
    }
}

// At half of the window, so that a peer that waits for it never does.
void Session::acknowledge(std::size_t bytes) {
    received_bytes_ += bytes;
    if (received_bytes_ - acknowledged_bytes_ < window_bytes_ / 2) return;
    acknowledged_bytes_ = received_bytes_;
    writer_.acknowledgement(
        output_, static_cast<std::uint32_t>(received_bytes_));  // it wraps, as section 5.4.3 has it
}

std::optional<Event> Session::handle(Message&& message) {
    switch (message.type) {
        case MessageType::audio:
        case MessageType::video:
            return handle_media(std::move(message));
        case MessageType::command_amf0:
        case MessageType::command_amf3:
            return handle_command(message);
        case MessageType::data_amf0:
        case MessageType::data_amf3:
            handle_data(message);
            break;
        case MessageType::user_control:
            handle_user_control(message);
            break;
        case MessageType::window_acknowledgement_size:
            handle_window_size(message);
            break;
        // What the peer has received and what it would like to receive does not matter to a server that sends
        // so little; the chunk reader applies the first two itself, and refuses aggregates; shared objects
        // are for players.
        case MessageType::set_chunk_size:
        case MessageType::abort:
        case MessageType::acknowledgement:
        case MessageType::set_peer_bandwidth:
        case MessageType::shared_object_amf0:
        case MessageType::shared_object_amf3:
        case MessageType::aggregate:
            break;
    }
    return std::nullopt;
}

std::optional<Event> Session::handle_media(Message&& message) {
    if (state_ == State::unpublished) return std::nullopt;
    if (state_ != State::publishing)
        fail(reason::out_of_order, "Audio or video came before a publish was accepted.");
    auto event = tracks_.read(std::move(message));
    if (!event) return std::nullopt;
    return std::visit([](auto&& each) { return Event{std::forward<decltype(each)>(each)}; },
                      std::move(*event));
}

void Session::handle_user_control(const Message& message) {
    if (message.body.size() < 2) fail(reason::malformed, "A control message is too short.");
    if (read_u16(message.body.data()) != event_ping_request) return;
    if (message.body.size() < 6) fail(reason::malformed, "A control message is too short.");
    writer_.user_control(output_, event_ping_response, read_u32(message.body.data() + 2));
}

void Session::handle_window_size(const Message& message) {
    if (message.body.size() < 4) fail(reason::malformed, "A control message is too short.");
    window_bytes_ = std::max(read_u32(message.body.data()), window_bytes_min);
}

namespace {

// Types 15 and 17 begin with a byte that says how they are encoded; encoders that use them send AMF0 behind
// it.
std::span<const std::uint8_t> amf0_of(const Message& message) {
    const std::span<const std::uint8_t> body{message.body};
    const bool amf3 = message.type == MessageType::command_amf3 || message.type == MessageType::data_amf3;
    if (!amf3) return body;
    if (body.empty() || body[0] != 0) fail(reason::malformed, "AMF3 values are not supported.");
    return body.subspan(1);
}

}  // namespace

// Of the metadata only the encoder's name is of use: what the picture is like is told by the codec's
// configuration.
void Session::handle_data(const Message& message) {
    if (state_ == State::connecting) fail(reason::out_of_order, "Metadata came before connect.");
    for (const amf0::Value& value : amf0::decode(amf0_of(message))) {
        const amf0::Object* metadata = value.object();
        const amf0::Value* encoder = metadata != nullptr ? metadata->find("encoder") : nullptr;
        if (encoder != nullptr && encoder->text() != nullptr) encoder_ = encoder->text()->substr(0, 200);
    }
}

std::optional<Event> Session::handle_command(const Message& message) {
    Command command{.stream_id = message.stream_id, .values = amf0::decode(amf0_of(message))};
    const std::string* name = command.text(0);
    if (name == nullptr) fail(reason::malformed, "A command has no name.");
    command.name = *name;
    if (command.values.size() > 1 && command.values[1].number() != nullptr)
        command.transaction = *command.values[1].number();
    return dispatch(command);
}

std::optional<Event> Session::dispatch(const Command& command) {
    if (command.name == "connect") {
        connect(command);
        return std::nullopt;
    }
    if (state_ == State::connecting) fail(reason::out_of_order, "A command came before connect.");
    if (command.name == "createStream") {
        create_stream(command);
    } else if (command.name == "publish") {
        return publish(command);
    } else if (command.name == "FCUnpublish" || command.name == "closeStream" ||
               command.name == "deleteStream") {
        return unpublish();
    } else if (command.name == "releaseStream" || command.name == "FCPublish") {
        answer(command.transaction, amf0::Null{}, amf0::Value{});
    } else if (command.name == "play" || command.name == "play2") {
        publish_stream_id_ = command.stream_id;
        constexpr std::string_view description =
            "This server takes publishers only; streams are watched over HLS.";
        send_status("error", "NetStream.Play.Failed", description);
        fail(reason::play_refused, std::string{description});
    }
    return std::nullopt;  // others are questions that encoders ask without needing an answer
}

std::optional<Event> Session::unpublish() {
    if (state_ != State::publishing) return std::nullopt;
    send_status("status", "NetStream.Unpublish.Success", "The publish has ended.");
    state_ = State::unpublished;
    return PublishEnded{};
}

void Session::accept_publish() {
    SPAKTOK_ASSERT(state_ == State::asked);
    tracks_ = TrackReader{};
    writer_.user_control(output_, event_stream_begin, publish_stream_id_);
    send_status("status", "NetStream.Publish.Start", "Publishing.");
    state_ = State::publishing;
}

void Session::refuse_publish(std::string_view description) {
    SPAKTOK_ASSERT(state_ == State::asked);
    send_status("error", "NetStream.Publish.BadName", description);
    state_ = State::closed;
}

void Session::end_publish(std::string_view description) {
    const bool told = state_ == State::asked || state_ == State::publishing;
    if (told) send_status("error", "NetStream.Publish.Rejected", description);
    state_ = State::closed;
}

}  // namespace spaktok::media::rtmp
