#include "base/log.h"

#include <atomic>
#include <chrono>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/timestamp.h"

namespace spaktok::log {

namespace {

std::atomic<Level> level_now{Level::info};
std::atomic<Format> format_now{Format::text};

std::string_view name_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warning:
            return "warning";
        case Level::error:
            return "error";
    }
    return "";
}

bool is_plain(std::string_view value) {
    if (value.empty()) return false;
    for (const char c : value) {
        if (c <= ' ' || c == '"' || c == '=' || c == 0x7f) return false;
    }
    return true;
}

std::string json_string(std::string_view text) {
    return boost::json::serialize(boost::json::string_view(text));
}

std::string as_text(std::string_view time, Level level, std::string_view message, Fields fields) {
    std::string line = fmt::format("{} {:7} {}", time, name_of(level), message);
    for (const auto& field : fields) {
        line +=
            fmt::format(" {}={}", field.name(),
                        is_plain(field.value()) ? std::string(field.value()) : json_string(field.value()));
    }
    return line;
}

std::string as_json(std::string_view time, Level level, std::string_view message, Fields fields) {
    std::string line =
        fmt::format(R"({{"time":"{}","level":"{}","message":{})", time, name_of(level), json_string(message));
    for (const auto& field : fields) {
        line += fmt::format(",{}:{}", json_string(field.name()),
                            field.quoted() ? json_string(field.value()) : std::string(field.value()));
    }
    return line + "}";
}

void write(Level level, std::string_view message, Fields fields) {
    if (!enabled(level)) return;
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const std::string time = to_rfc3339(now);
    std::string line = format_now.load() == Format::json ? as_json(time, level, message, fields)
                                                         : as_text(time, level, message, fields);
    line += '\n';
    // One write a line: lines of several threads do not mix. A reader that is gone must not stop the program.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void configure(Options options) {
    level_now = options.level;
    format_now = options.format;
}

bool enabled(Level level) {
    return level >= level_now.load(std::memory_order_relaxed);
}

void debug(std::string_view message, Fields fields) {
    write(Level::debug, message, fields);
}
void info(std::string_view message, Fields fields) {
    write(Level::info, message, fields);
}
void warning(std::string_view message, Fields fields) {
    write(Level::warning, message, fields);
}
void error(std::string_view message, Fields fields) {
    write(Level::error, message, fields);
}

}  // namespace spaktok::log
