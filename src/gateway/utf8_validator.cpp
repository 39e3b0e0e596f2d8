#include "gateway/utf8_validator.h"

#include <cstring>

namespace spaktok::gateway {
namespace {

// How many of the first bytes are ASCII, eight at a time: nearly all chat text and all JSON punctuation is.
std::size_t ascii_prefix(std::string_view bytes) {
    constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
    std::size_t done = 0;
    while (done + sizeof(std::uint64_t) <= bytes.size()) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + done, sizeof word);
        if ((word & high_bits) != 0) break;
        done += sizeof word;
    }
    while (done < bytes.size() && static_cast<std::uint8_t>(bytes[done]) < 0x80)
        ++done;
    return done;
}

}  // namespace

bool Utf8Validator::start(std::uint8_t byte) {
    lowest_ = 0x80;
    highest_ = 0xBF;
    if (byte >= 0xC2 && byte <= 0xDF) {
        needed_ = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
        needed_ = 2;
        if (byte == 0xE0) lowest_ = 0xA0;   // below: overlong
        if (byte == 0xED) highest_ = 0x9F;  // above: surrogates
    } else if (byte >= 0xF0 && byte <= 0xF4) {
        needed_ = 3;
        if (byte == 0xF0) lowest_ = 0x90;   // below: overlong
        if (byte == 0xF4) highest_ = 0x8F;  // above: beyond U+10FFFF
    } else {
        return false;
    }
    return true;
}

bool Utf8Validator::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        if (needed_ == 0) {
            bytes.remove_prefix(ascii_prefix(bytes));
            if (bytes.empty()) return true;
            if (!start(static_cast<std::uint8_t>(bytes.front()))) return false;
        } else {
            const auto byte = static_cast<std::uint8_t>(bytes.front());
            if (byte < lowest_ || byte > highest_) return false;
            lowest_ = 0x80;
            highest_ = 0xBF;
            --needed_;
        }
        bytes.remove_prefix(1);
    }
    return true;
}

}  // namespace spaktok::gateway
