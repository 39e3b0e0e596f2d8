#include "features/accounts/sign_in_guard.h"

#include <boost/asio/ip/address.hpp>
#include <sodium.h>

#include "base/error.h"
#include "base/hex.h"

namespace spaktok::accounts {

namespace {

// What was typed may be long or strange; keys are neither.
std::string key_of(const std::string& subject, const std::string& network) {
    const std::string text = subject + "\n" + network;
    std::array<std::uint8_t, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return "sign_in_failures:" + hex::encode(digest);
}

}  // namespace

std::string network_of(const std::string& address) {
    boost::system::error_code error;
    const auto parsed = boost::asio::ip::make_address(address, error);
    if (error || parsed.is_v4()) return address;
    const auto v6 = parsed.to_v6();
    if (v6.is_v4_mapped())
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
    auto bytes = v6.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return boost::asio::ip::make_address_v6(bytes).to_string() + "/64";
}

boost::asio::awaitable<void> SignInGuard::begin(Attempt attempt) {
    const auto by_address =
        co_await counters_.add(key_of(attempt.subject, network_of(attempt.remote_address)), 1, window);
    const auto by_anyone = co_await counters_.add(key_of(attempt.subject, ""), 1, window);
    if (by_address <= failures_per_address_max && by_anyone <= failures_max) co_return;
    throw Error(ErrorCode::rate_limited, "Too many wrong passwords. Try again later.",
                {.reason = "too_many_attempts", .retry_after = window});
}

boost::asio::awaitable<void> SignInGuard::succeeded(Attempt attempt) {
    co_await counters_.take(key_of(attempt.subject, network_of(attempt.remote_address)));
    co_await counters_.add(key_of(attempt.subject, ""), -1, window);
}

}  // namespace spaktok::accounts
