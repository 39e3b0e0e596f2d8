// What is shown and said in the demo: the broadcasts, what is announced, and the conversations.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spaktok::demo {

struct Line {
    std::string_view speaker;  // a username
    std::string_view text;
    std::optional<std::size_t> reply_to{};  // an earlier line of the same conversation
};
using Conversation = std::vector<Line>;

struct Show {
    std::string_view host;
    std::string_view title;
    std::string_view description;
    std::string_view picture;  // ffmpeg: a video source and its filters, 1280x720
    std::string_view sound;    // ffmpeg: aevalsrc's expression
    std::span<const Conversation> conversations;
    std::vector<std::string_view> audience;  // usernames; no one is in two audiences
    // What the host answers to whoever speaks here for the first time; "{}" is their name.
    std::vector<std::string_view> greetings;
};
std::span<const Show> shows();

struct Announcement {
    std::string_view host;
    std::string_view title;
    std::string_view description;
    std::chrono::hours in;
    Conversation conversation;  // of those who look forward to it
};
std::span<const Announcement> announcements();

std::span<const Conversation> synth_conversations();
std::span<const Conversation> wall_conversations();

}  // namespace spaktok::demo
