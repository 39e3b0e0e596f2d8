#include "base/random.h"

#include <array>
#include <vector>

#include <sodium.h>

#include "base/assert.h"

namespace spaktok {

std::uint64_t Random::next() {
    std::array<std::uint8_t, 8> bytes{};
    fill(bytes);
    std::uint64_t value = 0;
    for (const auto byte : bytes)
        value = value << 8 | byte;
    return value;
}

std::uint64_t Random::below(std::uint64_t bound) {
    SPAKTOK_ASSERT(bound > 0);
    // Values below `skip` would make the first remainders more likely than the last.
    const std::uint64_t skip = (0 - bound) % bound;
    for (;;) {
        const std::uint64_t value = next();
        if (value >= skip) return value % bound;
    }
}

std::string Random::token(std::size_t bytes) {
    std::vector<std::uint8_t> raw(bytes);
    fill(raw);
    constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    std::string text(sodium_base64_encoded_len(bytes, variant), '\0');
    sodium_bin2base64(text.data(), text.size(), raw.data(), raw.size(), variant);
    text.pop_back();  // the terminating zero
    return text;
}

void SystemRandom::fill(std::span<std::uint8_t> bytes) {
    randombytes_buf(bytes.data(), bytes.size());
}

void SeededRandom::fill(std::span<std::uint8_t> bytes) {
    const std::scoped_lock lock(mutex_);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i % 8 == 0) {
            // Sebastiano Vigna, splitmix64.c (public domain).
            value = (state_ += 0x9e3779b97f4a7c15);
            value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
            value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
            value ^= value >> 31;
        }
        bytes[i] = static_cast<std::uint8_t>(value >> (8 * (i % 8)));
    }
}

}  // namespace spaktok
