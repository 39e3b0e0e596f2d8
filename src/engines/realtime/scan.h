// All that the key-values of an engine hold, for copies of a whole place.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

namespace spaktok::realtime {

class KeyValues;

struct StoredValue {
    std::string key;
    std::string value;
    std::optional<std::chrono::milliseconds> expires_after{};
};
struct StoredSet {
    std::string key;
    std::vector<std::string> members;
};
struct ScanPage {
    std::vector<StoredValue> values;
    std::vector<StoredSet> sets;
    std::string next;  // where the next page begins; empty: this was the last one
};

// The key-values of every adapter are one; apart from the port, as features never need it.
class Scanner {
  public:
    virtual ~Scanner() = default;
    // All durable values and all sets (an engine that keeps them alike gives cached values too), some
    // thousands a page, in no order. `cursor`: empty, then `next`. What is changed meanwhile may be missing,
    // and what is not may come twice. Throws what the port does.
    virtual boost::asio::awaitable<ScanPage> scan(std::string cursor) = 0;
};

// Asserts that they are an adapter's.
Scanner& scanner_of(KeyValues& values);

}  // namespace spaktok::realtime
