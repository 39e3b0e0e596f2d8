// Reads bits of a decoder configuration, most significant first. Past the end it yields zeros and remembers
// that it did, so that a parser checks once, at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace spaktok::media::cmaf {

class BitReader {
  public:
    explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    // At most 32 bits.
    std::uint32_t bits(unsigned count) {
        std::uint32_t value = 0;
        for (; count > 0; --count)
            value = (value << 1U) | bit();
        return value;
    }
    bool flag() { return bit() != 0; }
    void skip(std::size_t count) {
        position_ += count;
        if (position_ > bytes_.size() * 8) exhausted_ = true;
    }
    // Exp-Golomb (ITU-T H.264, 9.1); 32 leading zeros or more count as exhausted.
    std::uint32_t unsigned_golomb() {
        unsigned zeros = 0;
        while (!flag()) {
            if (exhausted_ || ++zeros > 31) {
                exhausted_ = true;
                return 0;
            }
        }
        return (1U << zeros) - 1U + bits(zeros);
    }
    std::int32_t signed_golomb() {
        const std::uint32_t code = unsigned_golomb();
        const auto half = static_cast<std::int32_t>((code + 1U) / 2U);
        return code % 2U == 1U ? half : -half;
    }
    bool exhausted() const { return exhausted_; }

  private:
    std::uint32_t bit() {
        if (position_ >= bytes_.size() * 8) {
            exhausted_ = true;
            return 0;
        }
        const std::uint32_t value = (bytes_[position_ / 8] >> (7U - position_ % 8)) & 1U;
        ++position_;
        return value;
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t position_ = 0;
    bool exhausted_ = false;
};

}  // namespace spaktok::media::cmaf
