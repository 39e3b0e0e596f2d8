#include "base/uuid.h"

#include "base/hex.h"
#include "base/random.h"

namespace spaktok {

Uuid Uuid::v7(Timestamp at, Random& random) {
    std::array<std::uint8_t, 16> bytes{};
    random.fill(bytes);
    const auto milliseconds = static_cast<std::uint64_t>(to_unix_milliseconds(at));
    for (std::size_t i = 0; i < 6; ++i)
        bytes[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
    bytes[6] = static_cast<std::uint8_t>(0x70 | (bytes[6] & 0x0f));  // version 7
    bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3f));  // variant 10
    return Uuid(bytes);
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
        return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    std::size_t position = 0;
    for (auto& byte : bytes) {
        if (text[position] == '-') ++position;
        const auto value = hex::decode_byte(text[position], text[position + 1]);
        if (!value) return std::nullopt;
        byte = *value;
        position += 2;
    }
    return Uuid(bytes);
}

std::string Uuid::to_string() const {
    std::string text(36, '-');
    std::size_t at = 0;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
        text[at++] = hex::digits[bytes_[i] >> 4];
        text[at++] = hex::digits[bytes_[i] & 0xF];
    }
    return text;
}

Timestamp Uuid::timestamp() const {
    std::int64_t milliseconds = 0;
    for (std::size_t i = 0; i < 6; ++i)
        milliseconds = (milliseconds << 8) | bytes_[i];
    return from_unix_milliseconds(milliseconds);
}

}  // namespace spaktok
