// Randomness as a parameter, so that in tests it repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace spaktok {

// Thread-safe.
class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(std::span<std::uint8_t> bytes) = 0;

    std::uint64_t next();
    // Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
    // Unpadded base64url (RFC 4648) of that many random bytes: 32 bytes give a token of 43 characters.
    std::string token(std::size_t bytes);
};

// The kernel's generator; fit for keys and tokens.
class SystemRandom final : public Random {
  public:
    void fill(std::span<std::uint8_t> bytes) override;
};

// SplitMix64 from a seed: the same numbers in every run. For tests and demo content, never for secrets.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    void fill(std::span<std::uint8_t> bytes) override;

  private:
    std::mutex mutex_;
    std::uint64_t state_;
};

}  // namespace spaktok
