#include "features/accounts/password_hasher.h"

#include <sodium.h>

#include "features/testing/world.h"

namespace spaktok::accounts {

using features_testing::failure_of;
using features_testing::run;

namespace {

constexpr PasswordHasher::Options cheap{.passes = 1, .memory_bytes = 8192};

TEST(PasswordHasher, KnowsTheRightPassword) {
    PasswordHasher hasher(cheap);
    const auto hash = run(hasher.hash("correct horse"));
    EXPECT_THAT(hash, testing::StartsWith("$argon2id$v=19$m=8,t=1,p=1$"));
    EXPECT_TRUE(run(hasher.verify(hash, "correct horse")).matches);
    EXPECT_FALSE(run(hasher.verify(hash, "correct horsf")).matches);
    EXPECT_FALSE(run(hasher.verify(hash, "")).matches);
    EXPECT_NE(hash, run(hasher.hash("correct horse")));  // a salt each
}

TEST(PasswordHasher, AsksForANewHashWhereTheParametersHaveChanged) {
    PasswordHasher before(cheap);
    PasswordHasher after({.passes = 2, .memory_bytes = 16384});
    const auto old = run(before.hash("correct horse"));
    EXPECT_FALSE(run(before.verify(old, "correct horse")).needs_rehash);
    EXPECT_TRUE(run(after.verify(old, "correct horse")).needs_rehash);
    EXPECT_FALSE(run(after.verify(old, "wrong")).needs_rehash);
}

TEST(PasswordHasher, MakesNobodyCostWhatAUserCosts) {
    const PasswordHasher::Options options{.passes = 3, .memory_bytes = 65536};
    const auto nobody = PasswordHasher::hash_of_nobody(options);
    // Well-formed and with the same parameters: verifying against it computes the whole hash.
    EXPECT_EQ(crypto_pwhash_argon2id_str_needs_rehash(nobody.c_str(), options.passes, options.memory_bytes),
              0);
    PasswordHasher hasher(options);
    EXPECT_FALSE(run(hasher.verify("", "correct horse")).matches);
}

TEST(PasswordHasher, TurnsAwayWhatItsQueueCannotHold) {
    PasswordHasher hasher({.passes = 2, .memory_bytes = 32u << 20, .threads = 1, .queue_jobs_max = 1});
    boost::asio::io_context context(1);
    int hashed = 0;
    int refused = 0;
    for (int i = 0; i < 4; ++i) {
        boost::asio::co_spawn(context, hasher.hash("correct horse"),
                              [&](std::exception_ptr error, const std::string&) {
                                  if (!error) {
                                      ++hashed;
                                      return;
                                  }
                                  const auto failure = failure_of([&] { std::rethrow_exception(error); });
                                  EXPECT_THAT(failure, testing::StartsWith("unavailable"));
                                  ++refused;
                              });
    }
    context.run();
    EXPECT_EQ(hashed + refused, 4);
    EXPECT_GE(hashed, 1);
    EXPECT_GE(refused, 1);
}

}  // namespace
}  // namespace spaktok::accounts
