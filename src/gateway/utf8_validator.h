// Checks UTF-8 as it arrives, in pieces of any size.
#pragma once

#include <cstdint>
#include <string_view>

namespace spaktok::gateway {

// Refuses what RFC 3629 refuses: overlong forms, surrogates, anything beyond U+10FFFF. Four bytes of state,
// so that a fragmented message is checked piece by piece without being kept for it.
class Utf8Validator {
  public:
    // False at the first byte that cannot belong to valid UTF-8; after that the validator must be reset.
    bool feed(std::string_view bytes);
    // Whether the text may end here: no character is half there.
    bool is_complete() const { return needed_ == 0; }
    void reset() { *this = Utf8Validator{}; }

  private:
    bool start(std::uint8_t byte);

    std::uint8_t needed_ = 0;  // continuation bytes still to come
    std::uint8_t lowest_ =
        0x80;  // bounds of the next one: the first after E0, ED, F0 and F4 has narrower ones
    std::uint8_t highest_ = 0xBF;
};

}  // namespace spaktok::gateway
