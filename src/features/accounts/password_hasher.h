// Argon2id on threads of its own, so that no I/O thread ever computes a hash.
#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/worker_pool.h"

namespace spaktok::accounts {

// Thread-safe. Of what waits beyond the queue's limit, callers get Error{unavailable} at once (503 with
// Retry-After).
class PasswordHasher {
  public:
    struct Options {
        // OWASP's password storage cheat sheet asks for at least 19 MiB and two passes; 64 MiB make a guess
        // dear on a GPU and cost a sign-in about 60 ms. With two threads the pool holds at most 128 MiB.
        std::uint64_t passes = 2;
        std::size_t memory_bytes = 64u * 1024 * 1024;
        std::size_t threads = 2;
        std::size_t queue_jobs_max = 64;
    };
    explicit PasswordHasher(Options options);

    // A well-formed hash with these parameters that no password is known for.
    static std::string hash_of_nobody(const Options& options);

    boost::asio::awaitable<std::string> hash(std::string password);
    struct Verified {
        bool matches = false;
        bool needs_rehash = false;  // it matches, but was made with other parameters than today's
    };
    // An empty hash (no such user, or one who cannot sign in) matches nothing, and costs as much as a real
    // one.
    boost::asio::awaitable<Verified> verify(std::string hash, std::string password);

  private:
    Options options_;
    std::string nobody_;
    WorkerPool pool_;
};

}  // namespace spaktok::accounts
