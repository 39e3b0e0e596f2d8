#include "features/accounts/account_service.h"

#include "features/accounts/sign_in_guard.h"
#include "features/testing/world.h"

namespace spaktok::accounts {

namespace asio = boost::asio;
using features_testing::failure_of;
using features_testing::run;
using features_testing::World;

namespace {

NewAccount ada() {
    return {.username = "Ada", .email = "Ada@example.org", .password = World::password, .display_name = {}};
}
Service::Credentials with(std::string login, std::string password, std::string address = "203.0.113.7") {
    return {.login = std::move(login), .password = std::move(password), .remote_address = std::move(address)};
}
constexpr const char* wrong = "unauthenticated wrong_credentials";
constexpr const char* too_many = "rate_limited too_many_attempts";

// ---- the first administrator
TEST(FirstAdministrator, IsMadeOnceWithTheLinkThatWasPrintedLast) {
    World world;
    EXPECT_TRUE(run(world.accounts.is_setup_required()));
    const auto first = run(world.accounts.create_setup_token());
    const auto second = run(world.accounts.create_setup_token());
    ASSERT_TRUE(first && second);
    EXPECT_EQ(failure_of(world.accounts.set_up(*first, ada())), "forbidden invalid_setup_token token");
    const auto admin = run(world.accounts.set_up(*second, ada()));
    EXPECT_EQ(admin.role, Role::admin);
    EXPECT_EQ(admin.username, "Ada");
    EXPECT_FALSE(run(world.accounts.is_setup_required()));
    EXPECT_EQ(run(world.accounts.create_setup_token()), std::nullopt);
    EXPECT_EQ(run(world.accounts.authenticate(with("ada", World::password))).id, admin.id);
}

TEST(FirstAdministrator, IsRefusedInOrderOfPrecedence) {
    World world;
    EXPECT_EQ(failure_of(world.accounts.set_up("", ada())),
              "forbidden invalid_setup_token token");  // none printed yet
    const auto token = *run(world.accounts.create_setup_token());
    auto bad = ada();
    bad.username = "x";
    EXPECT_EQ(failure_of(world.accounts.set_up("guess", bad)), "invalid_argument invalid_field username");
    EXPECT_EQ(failure_of(world.accounts.set_up("guess", ada())), "forbidden invalid_setup_token token");
    EXPECT_EQ(failure_of(world.accounts.set_up(token, bad)), "invalid_argument invalid_field username");
    run(world.accounts.set_up(token, ada()));  // no refusal used the link up
    EXPECT_EQ(failure_of(world.accounts.set_up(token, bad)), "conflict setup_done");
}

TEST(FirstAdministrator, StoresOnlyTheHashOfTheLink) {
    World world;
    const auto token = *run(world.accounts.create_setup_token());
    const auto stored = run(world.realtime->key_values().get("setup_token"));
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->find(token), std::string::npos);
    EXPECT_EQ(stored->size(), 64u);
}

TEST(FirstAdministrator, IsOneHoweverManyUseTheLinkAtOnce) {
    World world;
    const auto token = *run(world.accounts.create_setup_token());
    asio::io_context context(1);
    int made = 0;
    for (int i = 0; i < 6; ++i) {
        auto account = ada();
        account.username += std::to_string(i);
        asio::co_spawn(context, world.accounts.set_up(token, account),
                       [&](std::exception_ptr error, const Account&) {
                           if (!error) ++made;
                       });
    }
    context.run();
    EXPECT_EQ(made, 1);
    EXPECT_EQ(run(world.accounts.list_users("", 10)).size(), 1u);
}

// ---- sign up
TEST(SignUp, IsRefusedInOrderOfPrecedence) {
    World world;
    auto bad = ada();
    bad.username = "x";
    EXPECT_EQ(failure_of(world.accounts.sign_up(bad)), "forbidden setup_required");
    world.add_user("root_user", Role::admin);
    EXPECT_EQ(failure_of(world.accounts.sign_up(bad)), "invalid_argument invalid_field username");
    run(world.accounts.sign_up(ada()));
    auto same_name = ada();
    same_name.username = "aDA";
    same_name.email = "other@example.org";
    EXPECT_EQ(failure_of(world.accounts.sign_up(same_name)), "conflict username_taken username");
    auto same_email = ada();
    same_email.username = "other";
    same_email.email = "aDA@EXAMPLE.org";
    EXPECT_EQ(failure_of(world.accounts.sign_up(same_email)), "conflict email_taken email");

    World closed({.registration = Registration::closed});
    EXPECT_EQ(failure_of(closed.accounts.sign_up(bad)), "forbidden setup_required");
    closed.add_user("root_user", Role::admin);
    EXPECT_EQ(failure_of(closed.accounts.sign_up(bad)), "forbidden registration_closed");
}

TEST(SignUp, GivesANameOnceHoweverManyAskAtOnce) {
    World world;
    world.add_user("root_user", Role::admin);
    asio::io_context context(1);
    std::vector<std::string> outcomes;
    for (int i = 0; i < 8; ++i) {
        auto account = ada();
        account.email = "ada" + std::to_string(i) + "@example.org";
        asio::co_spawn(context, world.accounts.sign_up(account),
                       [&](std::exception_ptr error, const Account&) {
                           outcomes.push_back(failure_of([&] {
                               if (error) std::rethrow_exception(error);
                           }));
                       });
    }
    context.run();
    EXPECT_EQ(outcomes.size(), 8u);
    EXPECT_EQ(std::ranges::count(outcomes, ""), 1);
    EXPECT_EQ(std::ranges::count(outcomes, "conflict username_taken username"), 7);
}

TEST(SignUp, MakesAPlainUserWhoseCreationIsTheMillisecondOfTheId) {
    World world;
    world.add_user("root_user", Role::admin);
    const auto account = run(world.accounts.sign_up(ada()));
    EXPECT_EQ(account.role, Role::user);
    EXPECT_EQ(account.display_name, "Ada");
    EXPECT_EQ(account.created_at, world.clock.now());
    EXPECT_EQ(account.created_at, account.id.value.timestamp());
    EXPECT_EQ(account.bio, "");
    EXPECT_EQ(account.skills, std::vector<std::string>{});
    EXPECT_EQ(account.email_verified_at, std::nullopt);
    const auto read = run(world.accounts.account(account.id));
    EXPECT_EQ(json::serialize(read), json::serialize(account));
}

// ---- sign in
TEST(SignIn, TakesNameOrEmailInAnyCase) {
    World world;
    const auto user = world.add_user("ada");
    for (const auto* login : {"ada", "ADA", "ada@example.org", "Ada@Example.ORG"}) {
        EXPECT_EQ(run(world.accounts.authenticate(with(login, World::password))).id, user.id) << login;
    }
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "correct horse batterz"))), wrong);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("nobody_else", World::password))), wrong);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("", ""))), wrong);
}

TEST(SignIn, IsClosedToTheSuspendedOnlyAfterTheRightPassword) {
    World world;
    const auto user = world.add_user("ada");
    constexpr relational::Statement suspend{.name = "test_suspend",
                                            .sql = "UPDATE users SET status = 'suspended' WHERE id = $1",
                                            .mode = relational::Mode::write};
    run(world.database->query(suspend, user.id));
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "wrong password"))), wrong);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password))),
              "forbidden account_suspended");
    EXPECT_EQ(failure_of(world.accounts.find_by_username("ada")), "not_found");
}

TEST(SignIn, RefusesAnAddressAfterTenFailuresUntilTheWindowEnds) {
    World world;
    world.add_user("ada");
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "wrong"))), wrong) << i;
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password))), too_many);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ADA@example.org", World::password))), too_many);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password, "203.0.113.8"))), "");
    world.clock.advance(SignInGuard::window + std::chrono::seconds{1});
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password))), "");
}

TEST(SignIn, ForgetsFailuresOnceThePasswordWasRight) {
    World world;
    world.add_user("ada");
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 9; ++i)
            EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "wrong"))), wrong);
        EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password))), "");
    }
}

TEST(SignIn, RefusesAnUnknownLoginLikeAKnownOne) {
    World world;
    world.add_user("ada");
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(failure_of(world.accounts.authenticate(with("ghost", "wrong"))), wrong);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("GHOST", "wrong"))), too_many);
}

TEST(SignIn, IsSlowedForGuessersFromManyAddresses) {
    World world;
    world.add_user("ada");
    for (int i = 0; i < 100; ++i) {
        const auto address = "198.51.100." + std::to_string(i);
        EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "wrong", address))), wrong) << i;
    }
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password, "192.0.2.1"))), too_many);
}

TEST(SignIn, CountsAnIPv6NetworkAsOneAddress) {
    EXPECT_EQ(network_of("2001:db8:1:2:3:4:5:6"), network_of("2001:db8:1:2::1"));
    EXPECT_NE(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
    EXPECT_EQ(network_of("::ffff:192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(network_of("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(network_of("no address"), "no address");
}

TEST(SignIn, RenewsAHashOfWeakerParameters) {
    World world;
    const auto user = world.add_user("ada");
    PasswordHasher stronger({.passes = 2, .memory_bytes = 16384});
    Service service({.database = *world.database,
                     .realtime = *world.realtime,
                     .blobs = *world.blobs,
                     .sessions = world.sessions,
                     .passwords = stronger,
                     .clock = world.clock,
                     .random = world.random,
                     .process_picture = {}});
    constexpr relational::Statement read{.name = "test_hash",
                                         .sql = "SELECT password_hash FROM users WHERE id = $1"};
    const auto hash = [&] {
        return run(world.database->query(read, user.id))[0].get<std::string>("password_hash");
    };
    EXPECT_THAT(hash(), testing::HasSubstr("m=8,t=1"));
    run(service.authenticate(with("ada", World::password)));
    EXPECT_THAT(hash(), testing::HasSubstr("m=16,t=2"));
    run(service.authenticate(with("ada", World::password)));
}

// ---- one's own account
TEST(AccountUpdate, ChangesWhatIsGivenAndClearsWhatIsEmpty) {
    World world;
    const auto user = world.add_user("ada");
    world.clock.advance(std::chrono::seconds{5});
    auto now = run(world.accounts.update(user.id,
                                         {.display_name = " Ada L. ",
                                          .bio = "Engines.",
                                          .country = "GB",
                                          .language = "en",
                                          .skills = std::vector<std::string>{"C++"},
                                          .email = {}},
                                         {}));
    EXPECT_EQ(now.display_name, "Ada L.");
    EXPECT_EQ(now.country, "GB");
    EXPECT_EQ(now.skills, std::vector<std::string>{"C++"});
    EXPECT_EQ(now.updated_at, world.clock.now());
    now = run(world.accounts.update(
        user.id, {.display_name = {}, .bio = "", .country = "", .language = {}, .skills = {}, .email = {}},
        {}));
    EXPECT_EQ(now.bio, "");
    EXPECT_EQ(now.country, std::nullopt);
    EXPECT_EQ(now.language, "en");
    EXPECT_EQ(now.display_name, "Ada L.");
    EXPECT_EQ(json::serialize(run(world.accounts.account(user.id))), json::serialize(now));
}

TEST(AccountUpdate, OfTheEmailIsRefusedInOrderOfPrecedence) {
    World world;
    const auto user = world.add_user("ada");
    world.add_user("bob");
    const auto move = [&](std::string email, std::string password) {
        AccountChanges changes;
        changes.email = std::move(email);
        return failure_of(world.accounts.update(
            user.id, changes, {.current_password = std::move(password), .remote_address = "a"}));
    };
    EXPECT_EQ(move("nonsense", "wrong"), "invalid_argument invalid_field email");
    EXPECT_EQ(move("bob@example.org", ""), "forbidden wrong_password current_password");
    EXPECT_EQ(move("bob@example.org", World::password), "conflict email_taken email");
    EXPECT_EQ(move("ada@example.org", ""), "");  // the same: nothing to prove
    EXPECT_EQ(move("new@example.org", World::password), "");
    EXPECT_EQ(run(world.accounts.account(user.id)).email, "new@example.org");
    for (int i = 0; i < 10; ++i)
        move("x@example.org", "wrong");
    EXPECT_EQ(move("x@example.org", World::password), too_many);
}

TEST(AccountUpdate, LosesNoneOfTwoChangesMadeAtOnce) {
    World world;
    const auto user = world.add_user("ada");
    asio::io_context context(1);
    AccountChanges bio;
    bio.bio = "Engines.";
    AccountChanges country;
    country.country = "GB";
    for (const auto& changes : {bio, country}) {
        asio::co_spawn(context, world.accounts.update(user.id, changes, {}),
                       [](std::exception_ptr error, const Account&) { EXPECT_FALSE(error); });
    }
    context.run();
    const auto now = run(world.accounts.account(user.id));
    EXPECT_EQ(now.bio, "Engines.");
    EXPECT_EQ(now.country, "GB");
}

TEST(PasswordChange, EndsAllOtherSessions) {
    World world;
    const auto user = world.add_user("ada");
    const auto here = world.sign_in(user.id);
    world.sign_in(user.id);
    world.sign_in(user.id);
    const auto change = [&](std::string current, std::string next) {
        return failure_of(world.accounts.change_password(
            user.id, here.id, {.current_password = std::move(current), .remote_address = "a"},
            std::move(next)));
    };
    EXPECT_EQ(change("wrong", "short"), "forbidden wrong_password current_password");
    EXPECT_EQ(change(World::password, "short"), "invalid_argument invalid_field new_password");
    EXPECT_EQ(change(World::password, "ada@example.org"), "invalid_argument weak_password new_password");
    EXPECT_EQ(run(world.sessions.list(user.id)).size(), 3u);
    EXPECT_EQ(change(World::password, "another good one"), "");
    const auto left = run(world.sessions.list(user.id));
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(left[0].id, here.id);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", World::password))), wrong);
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "another good one"))), "");
}

// ---- for other features
TEST(UserLookUp, AnswersThoseThatExistAndSeesChangesAtOnce) {
    World world({.media_base_url = "https://cdn.example.org"});
    const auto user = world.add_user("ada");
    const auto other = world.add_user("bob");
    const auto nobody = UserId::make(world.clock.now(), world.random);
    auto found = run(world.accounts.summaries({user.id, other.id, nobody, user.id}));
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(found.at(user.id).display_name, "ada");
    EXPECT_EQ(failure_of(world.accounts.summary(nobody)), "not_found");
    AccountChanges changes;
    changes.display_name = "Ada L.";
    run(world.accounts.update(user.id, changes, {}));
    EXPECT_EQ(run(world.accounts.summary(user.id)).display_name, "Ada L.");
    EXPECT_EQ(run(world.accounts.role(user.id)), Role::user);
    run(world.accounts.set_role("ADA", Role::moderator));
    EXPECT_EQ(run(world.accounts.role(user.id)), Role::moderator);
    EXPECT_EQ(run(world.accounts.find_by_username("ADA")), user.id);
    EXPECT_EQ(failure_of(world.accounts.find_by_username("eve")), "not_found");
    EXPECT_EQ(world.accounts.media_url("/media/x"), "https://cdn.example.org/media/x");
}

TEST(UserLookUp, KnowsWhoHasStreamed) {
    World world;
    const auto user = world.add_user("ada");
    EXPECT_FALSE(run(world.accounts.account(user.id)).is_streamer);
    run(world.accounts.mark_streamer(user.id));
    run(world.accounts.mark_streamer(user.id));
    EXPECT_TRUE(run(world.accounts.account(user.id)).is_streamer);
}

// ---- for the command line
TEST(OperatorCommands, CreateListAndChangeUsers) {
    World world;
    for (const auto* name : {"Cleo", "ada", "Bob"})
        world.add_user(name);
    const auto names = [&](std::string after, std::int64_t limit) {
        std::vector<std::string> result;
        for (const auto& account : run(world.accounts.list_users(std::move(after), limit)))
            result.push_back(account.username);
        return result;
    };
    EXPECT_EQ(names("", 2), (std::vector<std::string>{"ada", "Bob"}));
    EXPECT_EQ(names("Bob", 2), (std::vector<std::string>{"Cleo"}));
    EXPECT_EQ(run(world.accounts.set_role("bob@example.org", Role::admin)).role, Role::admin);
    EXPECT_EQ(failure_of(world.accounts.set_role("eve", Role::admin)), "not_found");
    EXPECT_EQ(failure_of(world.accounts.create_user(
                  {.username = "adA", .email = "x@y.org", .password = World::password}, Role::user)),
              "conflict username_taken username");
}

TEST(OperatorCommands, ResetAPasswordAndEndTheSessions) {
    World world;
    const auto user = world.add_user("ada");
    world.sign_in(user.id);
    EXPECT_EQ(failure_of(world.accounts.reset_password("eve", "whatever it is")), "not_found");
    EXPECT_EQ(failure_of(world.accounts.reset_password("ada", "short")),
              "invalid_argument invalid_field password");
    run(world.accounts.reset_password("ada", "another good one"));
    EXPECT_TRUE(run(world.sessions.list(user.id)).empty());
    EXPECT_EQ(failure_of(world.accounts.authenticate(with("ada", "another good one"))), "");
}

}  // namespace
}  // namespace spaktok::accounts
