// The commands of NetConnection and NetStream (section 7.2) that have an answer with content.
#include <algorithm>
#include <array>
#include <utility>

#include "media/rtmp/failure.h"
#include "media/rtmp/session.h"

namespace spaktok::media::rtmp {

namespace {

constexpr std::size_t app_bytes_max = 512;
constexpr std::size_t stream_key_bytes_max = 128;

constexpr std::uint32_t commands_chunk_stream = 3;
constexpr std::uint32_t status_chunk_stream = 5;

// Enhanced RTMP v2: what this server does with a codec (it forwards), and which extensions it knows (ModEx).
constexpr double four_cc_can_forward = 4;
constexpr double caps_ex_mod_ex = 4;

std::string_view before_query(std::string_view path) {
    return path.substr(0, path.find('?'));
}

std::string_view without_trailing_slashes(std::string_view path) {
    while (path.ends_with('/'))
        path.remove_suffix(1);
    return path;
}

std::string_view last_part(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool is_visible(char letter) {
    return letter > ' ' && letter <= '~';
}

amf0::Object four_cc_map(std::initializer_list<const char*> codes) {
    amf0::Object map;
    for (const char* code : codes)
        map.members.emplace_back(code, four_cc_can_forward);
    return map;
}

amf0::Object server_properties() {
    amf0::Array codes{.items = {"avc1", "hvc1", "av01", "mp4a", "Opus"}};
    return {.members = {{"fmsVer", "FMS/3,5,7,7009"},  // encoders look for a version that they know
                        {"capabilities", 31.0},
                        {"fourCcList", std::move(codes)},
                        {"videoFourCcInfoMap", four_cc_map({"avc1", "hvc1", "av01"})},
                        {"audioFourCcInfoMap", four_cc_map({"mp4a", "Opus"})},
                        {"capsEx", caps_ex_mod_ex}}};
}

amf0::Object status(std::string_view level, std::string_view code, std::string_view description) {
    return {.members = {{"level", std::string{level}},
                        {"code", std::string{code}},
                        {"description", std::string{description}}}};
}

}  // namespace

std::string stream_key_of(std::string_view app, std::string_view stream_name) {
    std::string_view key = last_part(without_trailing_slashes(before_query(stream_name)));
    const std::string_view path = without_trailing_slashes(before_query(app));
    if (key.empty() && path.find('/') != std::string_view::npos) key = last_part(path);
    if (key.size() > stream_key_bytes_max || !std::ranges::all_of(key, is_visible)) return {};
    return std::string{key};
}

void Session::connect(const Command& command) {
    if (state_ != State::connecting) fail(reason::out_of_order, "A connection was connected already.");
    const amf0::Object* options = command.values.size() > 2 ? command.values[2].object() : nullptr;
    const auto option = [&](std::string_view name) -> std::string {
        const amf0::Value* value = options != nullptr ? options->find(name) : nullptr;
        return value != nullptr && value->text() != nullptr ? *value->text() : std::string{};
    };
    app_ = option("app");
    if (without_trailing_slashes(before_query(app_)).empty()) {
        reject_connect(command.transaction,
                       "The address has no application; it should look like rtmp://server/live.");
    }
    if (app_.size() > app_bytes_max) reject_connect(command.transaction, "The address is too long.");
    encoder_ = option("flashVer").substr(0, 200);
    writer_.window_acknowledgement_size(output_, window_bytes);
    writer_.set_peer_bandwidth(output_, window_bytes);
    writer_.set_chunk_size(output_, chunk_size_out);
    amf0::Object information = status("status", "NetConnection.Connect.Success", "Connected.");
    information.members.emplace_back("objectEncoding", 0.0);
    answer(command.transaction, server_properties(), std::move(information));
    state_ = State::connected;
}

void Session::reject_connect(double transaction, std::string_view description) {
    const std::array<amf0::Value, 4> values{"_error", transaction, amf0::Null{},
                                            status("error", "NetConnection.Connect.Rejected", description)};
    send_command(0, values);
    fail(reason::malformed, std::string{description});
}

void Session::create_stream(const Command& command) {
    answer(command.transaction, amf0::Null{}, static_cast<double>(++streams_created_));
}

std::optional<Event> Session::publish(const Command& command) {
    if (state_ == State::publishing)
        fail(reason::out_of_order, "A connection may publish one stream at a time.");
    publish_stream_id_ = command.stream_id;
    const std::string* stream_name = command.text(3);
    std::string key = stream_key_of(app_, stream_name != nullptr ? *stream_name : std::string{});
    if (key.empty()) {
        constexpr std::string_view description =
            "There is no stream key in the address, or one that cannot be.";
        send_status("error", "NetStream.Publish.BadName", description);
        fail(reason::key_refused, std::string{description});
    }
    state_ = State::asked;
    return PublishRequested{.app = app_, .stream_key = std::move(key), .encoder = encoder_};
}

void Session::answer(double transaction, amf0::Value properties, amf0::Value information) {
    const std::array<amf0::Value, 4> values{"_result", transaction, std::move(properties),
                                            std::move(information)};
    send_command(0, values);
}

void Session::send_command(std::uint32_t stream_id, std::span<const amf0::Value> values) {
    std::vector<std::uint8_t> body;
    amf0::encode(body, values);
    const std::uint32_t chunk_stream = stream_id == 0 ? commands_chunk_stream : status_chunk_stream;
    writer_.write(output_, {.chunk_stream_id = chunk_stream, .stream_id = stream_id},
                  MessageType::command_amf0, body);
}

void Session::send_status(std::string_view level, std::string_view code, std::string_view description) {
    const std::array<amf0::Value, 4> values{"onStatus", 0.0, amf0::Null{}, status(level, code, description)};
    send_command(publish_stream_id_, values);
}

}  // namespace spaktok::media::rtmp
