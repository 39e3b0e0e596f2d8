// The Range header (RFC 9110, 14.1.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace spaktok::http {

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;  // 0: beyond the end, cannot be satisfied
};

// One range, cut at `size`. nullopt for what is to be ignored (RFC 9110, 14.2): another unit, bad syntax,
// several ranges (a player asks for one; several at once is mostly a way to make a server work).
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

// Error{range_not_satisfiable}; its answer says how much there is.
class UnsatisfiableRange : public Error {
  public:
    explicit UnsatisfiableRange(std::uint64_t complete_length);
    std::uint64_t complete_length() const { return complete_length_; }

  private:
    std::uint64_t complete_length_;
};

}  // namespace spaktok::http
