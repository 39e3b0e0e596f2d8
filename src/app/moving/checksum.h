// What two sides of a copy are compared by.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace spaktok::moving {

// How many things there are, and the sum of their BLAKE2b digests: equal for equal things in whatever order.
class Checksum {
  public:
    void add(std::string_view thing);
    std::int64_t count() const { return count_; }
    bool operator==(const Checksum&) const = default;

  private:
    std::int64_t count_ = 0;
    std::array<std::uint64_t, 4> sum_{};
};

// One text for equal values: members in the order of their names, whole numbers without a point. PostgreSQL's
// jsonb sorts members, and 1e2 comes back from it as 100.
std::string canonical(const json::Value& value);

}  // namespace spaktok::moving
