#include "features/accounts/password_hasher.h"

#include <array>

#include <fmt/format.h>
#include <sodium.h>

#include "base/assert.h"

namespace spaktok::accounts {

// Argon2's text form with a salt and a hash of zeroes: verifying against it costs what these parameters cost,
// and finding a password for it is as hard as a preimage.
std::string PasswordHasher::hash_of_nobody(const Options& options) {
    return fmt::format("$argon2id$v=19$m={},t={},p=1${}${}", options.memory_bytes / 1024, options.passes,
                       std::string(22, 'A'), std::string(43, 'A'));
}

PasswordHasher::PasswordHasher(Options options)
    : options_(options),
      nobody_(hash_of_nobody(options)),
      pool_({.name = "passwords", .threads = options.threads, .queue_jobs_max = options.queue_jobs_max}) {
    SPAKTOK_ASSERT(sodium_init() >= 0);
    SPAKTOK_ASSERT(options.memory_bytes >= crypto_pwhash_argon2id_MEMLIMIT_MIN &&
                   options.passes >= crypto_pwhash_argon2id_OPSLIMIT_MIN);
}

boost::asio::awaitable<std::string> PasswordHasher::hash(std::string password) {
    co_return co_await pool_.run([options = options_, password = std::move(password)] {
        std::array<char, crypto_pwhash_argon2id_STRBYTES> text{};
        if (crypto_pwhash_argon2id_str(text.data(), password.data(), password.size(), options.passes,
                                       options.memory_bytes) != 0) {
            throw Error(ErrorCode::unavailable, "The server is too busy to do this now.",
                        {.reason = "busy",
                         .detail = "no memory for a password hash",
                         .retry_after = std::chrono::seconds{5}});
        }
        return std::string(text.data());
    });
}

boost::asio::awaitable<PasswordHasher::Verified> PasswordHasher::verify(std::string hash,
                                                                        std::string password) {
    const bool exists = !hash.empty();
    if (!exists) hash = nobody_;
    co_return co_await pool_.run([options = options_, exists, hash = std::move(hash),
                                  password = std::move(password)] {
        const bool matches =
            crypto_pwhash_argon2id_str_verify(hash.c_str(), password.data(), password.size()) == 0 && exists;
        return Verified{
            .matches = matches,
            .needs_rehash = matches && crypto_pwhash_argon2id_str_needs_rehash(hash.c_str(), options.passes,
                                                                               options.memory_bytes) != 0};
    });
}

}  // namespace spaktok::accounts
