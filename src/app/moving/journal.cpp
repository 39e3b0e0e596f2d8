#include "app/moving/journal.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <unistd.h>

namespace spaktok::moving {

namespace {

std::string digest(const std::string& text) {
    std::array<unsigned char, 16> bytes{};
    crypto_generichash(bytes.data(), bytes.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size(), nullptr, 0);
    return fmt::format("{:02x}", fmt::join(bytes, ""));
}

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& problem) {
    throw Error(ErrorCode::unavailable, file.string() + " cannot be used: " + problem + ".");
}

}  // namespace

Journal::Journal(std::filesystem::path file, const std::string& move)
    : file_(std::move(file)), move_(digest(move)) {
    std::ifstream in(file_, std::ios::binary);
    if (!in) return;
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    bool is_same = false;
    try {
        const auto whole = json::parse(text);
        is_same = whole.at("move").as_string() == std::string_view(move_);
        positions_ = whole.at("positions").as_object();
    } catch (const std::exception& error) {
        fail(file_, error.what());
    }
    if (!is_same) {
        throw Error(ErrorCode::conflict,
                    "Another move was begun and has not ended: repeat it with its own URLs, or remove " +
                        file_.string() + " to give it up.");
    }
    has_begun_ = true;
}

json::Value Journal::position(const std::string& part) const {
    const auto* found = positions_.if_contains(part);
    return found == nullptr ? json::Value() : *found;
}

void Journal::record(const std::string& part, json::Value position) {
    positions_[part] = std::move(position);
    write();
}

void Journal::begin() {
    has_begun_ = true;
    write();
}

void Journal::end() {
    std::error_code error;
    if (!std::filesystem::remove(file_, error) && error) fail(file_, error.message());
    has_begun_ = false;
}

// The old one or the new one is there whenever the process ends.
void Journal::write() const {
    const auto text = boost::json::serialize(json::Object{{"move", move_}, {"positions", positions_}});
    auto temporary = file_;
    temporary += "~";
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) fail(file_, std::strerror(errno));
    const auto written = ::write(descriptor, text.data(), text.size());
    const bool is_whole = written == static_cast<ssize_t>(text.size()) && ::fsync(descriptor) == 0;
    const int problem = errno;
    ::close(descriptor);
    if (!is_whole) fail(file_, std::strerror(problem));
    std::filesystem::rename(temporary, file_);
}

}  // namespace spaktok::moving
