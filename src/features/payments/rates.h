// Exchange rates: the operator's own, or those of a daily feed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>

#include "base/clock.h"
#include "engines/relational/database.h"
#include "features/payments/web_client.h"

namespace spaktok::payments {

inline constexpr std::size_t feed_bytes_max = 64 * 1024;
inline constexpr std::size_t currencies_max = 50;

// Units of each currency for 1 USD, in parts of ledger::rate_one.
struct DailyRates {
    std::string day;  // "2026-01-31"
    std::map<std::string, std::int64_t> rates{};
};
// The European Central Bank's daily file (https://www.ecb.europa.eu, "eurofxref-daily.xml"): units for 1 EUR,
// made into units for 1 USD. Throws Error{unavailable} for anything else, for more than feed_bytes_max, for a
// file without USD; currencies that are not taken are left out.
DailyRates parse_feed(std::string_view xml);

// What people may pay in. Without a rate of the operator's it is on offer while the feed has one.
struct OfferedCurrency {
    std::string currency;
    std::optional<std::int64_t> fixed_rate{};
};
// "USD, EUR=0.9221, JPY": codes with or without a rate. Throws Error{invalid_argument} for anything else, for
// one that comes twice, for more than currencies_max. USD is always there and always 1.
std::vector<OfferedCurrency> parse_offer(std::string_view text);

// One that can be paid in now.
struct CurrencyChoice {
    std::string currency;
    std::int64_t exchange_rate = 0;  // units for 1 USD, in parts of 10,000
    int decimals = 2;                // of its minor unit
};
BOOST_DESCRIBE_STRUCT(CurrencyChoice, (), (currency, exchange_rate, decimals))

// Thread-safe; what it refers to outlives it.
class Rates {
  public:
    struct Options {
        relational::Database& database;
        const Clock& clock;
        WebClient& web;
        std::vector<OfferedCurrency> offer{};
        std::string feed_url{};  // empty: none
    };
    explicit Rates(Options options);

    // In the operator's order; those whose last rate is older than seven days are left out. From memory, at
    // most a minute old.
    boost::asio::awaitable<std::vector<CurrencyChoice>> choices();

    // Fetches the feed where it is due: a day after it last worked, an hour after it last did not. Throws
    // Error{unavailable}.
    boost::asio::awaitable<void> update();

  private:
    boost::asio::awaitable<std::map<std::string, std::int64_t>> stored();
    boost::asio::awaitable<void> store(DailyRates daily);

    Options options_;
    std::mutex mutex_;
    std::optional<std::vector<CurrencyChoice>> choices_;  // under the mutex, like the next
    Timestamp read_at_{};
    Timestamp due_at_{};
};

}  // namespace spaktok::payments
