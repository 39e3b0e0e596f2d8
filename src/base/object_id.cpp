#include "base/object_id.h"

#include <atomic>

#include "base/hex.h"
#include "base/random.h"

namespace spaktok {

ObjectId ObjectId::make(Timestamp at, Random& random) {
    // Five random bytes name this process; the counter starts at a random place, as the specification asks.
    static const std::uint64_t process = random.next() & 0xff'ffff'ffff;
    static std::atomic<std::uint32_t> counter{static_cast<std::uint32_t>(random.next())};

    const auto seconds = static_cast<std::uint32_t>(to_unix_milliseconds(at) / 1000);
    const std::uint32_t count = counter.fetch_add(1) & 0xff'ffff;
    std::array<std::uint8_t, 12> bytes{};
    for (std::size_t i = 0; i < 4; ++i)
        bytes[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
    for (std::size_t i = 0; i < 5; ++i)
        bytes[4 + i] = static_cast<std::uint8_t>(process >> (32 - 8 * i));
    for (std::size_t i = 0; i < 3; ++i)
        bytes[9 + i] = static_cast<std::uint8_t>(count >> (16 - 8 * i));
    return ObjectId(bytes);
}

std::optional<ObjectId> ObjectId::parse(std::string_view text) {
    if (text.size() != 24) return std::nullopt;
    std::array<std::uint8_t, 12> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = hex::decode_byte(text[2 * i], text[2 * i + 1]);
        if (!byte) return std::nullopt;
        bytes[i] = *byte;
    }
    return ObjectId(bytes);
}

std::string ObjectId::to_string() const {
    return hex::encode(bytes_);
}

}  // namespace spaktok
