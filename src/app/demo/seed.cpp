#include "app/demo/seed.h"

#include "app/demo/avatar.h"
#include "base/error.h"
#include "base/log.h"

namespace spaktok::demo {

namespace asio = boost::asio;

namespace {

constexpr std::int64_t page_items = 100;
constexpr Money play_money = Money::from_minor(50'000);

bool is_visitor(const Person& person) {
    return person.username == people().front().username;
}

bool is_host(const Person& person) {
    return std::ranges::any_of(shows(), [&](const Show& show) { return show.host == person.username; });
}

// Most follow those who are live; the rest is chance, the same at every start.
bool would_follow(std::size_t follower, std::size_t other) {
    if (follower == other) return false;
    SeededRandom random(follower * 1000 + other);
    const std::uint64_t percent = is_host(people()[other]) ? 80 : 30;
    return random.below(100) < percent;
}

}  // namespace

asio::awaitable<void> Seed::look_around() {
    std::string after;
    for (;;) {
        auto page = co_await services_.accounts.list_users(after, page_items);
        for (auto& account : page) {
            after = account.username;
            known_.emplace(account.username, std::move(account));
        }
        if (static_cast<std::int64_t>(page.size()) < page_items) break;
    }
    if (known_.empty()) co_return;
    const bool ours = std::ranges::any_of(
        known_, [](const auto& entry) { return entry.second.email.ends_with(email_domain); });
    const bool taken = std::ranges::any_of(people(), [this](const Person& person) {
        const auto found = known_.find(std::string(person.username));
        return found != known_.end() && found->second.email != email_of(person);
    });
    if (!ours || taken) {
        throw Error(ErrorCode::conflict,
                    "people live in this data directory already; the demo wants one of its own: --data DIR");
    }
}

asio::awaitable<void> Seed::settle(std::span<const Person> newcomers) {
    for (const auto& person : newcomers)
        co_await settle_one(person);
}

asio::awaitable<accounts::Account> Seed::open_account(const Person& person) {
    const std::string username(person.username);
    const bool visitor = is_visitor(person);
    // Nobody needs to know the others' passwords: each start gives them new ones, which also ends the
    // sessions of the start before.
    std::string password = visitor ? std::string(visitor_password) : services_.random.token(24);
    const auto found = known_.find(username);
    std::optional<accounts::Account> account;
    if (found == known_.end()) {
        account = co_await services_.accounts.create_user({.username = username,
                                                           .email = email_of(person),
                                                           .password = password,
                                                           .display_name = std::string(person.display_name)},
                                                          accounts::Role::user);
    } else {
        co_await services_.accounts.reset_password(username, password);
        account = found->second;
    }
    residents_[username] = {.id = account->id,
                            .password = std::move(password),
                            .has_picture = account->profile_picture_url.has_value()};
    co_return std::move(*account);
}

asio::awaitable<void> Seed::settle_one(const Person& person) {
    const auto account = co_await open_account(person);
    co_await fill_wallet(account.id);
    if (!account.bio.empty()) co_return;
    accounts::AccountChanges changes;
    changes.bio = std::string(person.bio);
    changes.country = std::string(person.country);
    changes.language = "en";
    changes.skills = person.skills;
    co_await services_.accounts.update(account.id, std::move(changes), {});
}

asio::awaitable<void> Seed::fill_wallet(UserId user) {
    const auto wallet = ledger::wallet_of(user);
    if (co_await services_.ledger.balance(wallet) > Money{}) co_return;
    const ledger::Account clearing{.kind = ledger::AccountKind::payment_clearing};
    std::vector<ledger::Movement> movements;
    movements.push_back(
        {.header = {.type = ledger::TransactionType::top_up, .receiver = user, .amount = play_money},
         .postings = {{wallet, play_money}, {clearing, -play_money}}});
    co_await services_.ledger.book(std::move(movements));
}

asio::awaitable<void> Seed::portray(std::span<const Person> settled, const std::atomic<bool>& stopping) {
    for (const auto& person : settled) {
        if (stopping) co_return;
        auto& resident = residents_.at(std::string(person.username));
        if (resident.has_picture) continue;
        const auto index = static_cast<std::uint64_t>(
            std::ranges::find(people(), person.username, &Person::username) - people().begin());
        try {
            co_await services_.accounts.set_picture(resident.id, encode_png(draw_avatar(index)));
            resident.has_picture = true;
        } catch (const Error& error) {
            log::warning("demo picture not made", {{"user", person.username}, {"error", error.message()}});
        }
    }
}

asio::awaitable<StreamId> Seed::prepare(const Show& show) {
    const UserId host = resident(show.host).id;
    auto stream = co_await services_.streams.current(host);
    if (!stream) {
        stream = co_await services_.streams.create(
            host, {.title = std::string(show.title), .description = std::string(show.description)});
    }
    prepared_.emplace_back(stream->id, &show);
    co_return stream->id;
}

asio::awaitable<void> Seed::bring_to_life() {
    constexpr std::size_t before_the_audience = 2;  // conversations, so that no chat begins empty
    for (const auto& [stream, show] : prepared_)
        co_await talk(stream, show->conversations.first(before_the_audience));
    co_await follow_each_other();
    for (const auto& announcement : announcements())
        co_await announce(announcement);
}

asio::awaitable<void> Seed::follow_each_other() {
    const auto everyone = people();
    std::vector<UserId> ids;
    for (const auto& person : everyone)
        ids.push_back(resident(person.username).id);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        // Who follows somebody has chosen before: what was undone since stays undone.
        if (!(co_await services_.graph.followed_among(ids[i], ids)).empty()) continue;
        for (std::size_t j = 0; j < ids.size(); ++j) {
            if (would_follow(i, j)) co_await services_.graph.follow_user(ids[i], ids[j]);
        }
    }
}

asio::awaitable<void> Seed::announce(const Announcement& announcement) {
    const UserId host = resident(announcement.host).id;
    const Timestamp now = services_.clock.now();
    const auto page = co_await services_.streams.list_of(host, {.limit = page_items});
    for (const auto& stream : page.items) {
        if (stream.status != streams::Status::scheduled || stream.title != announcement.title) continue;
        if (stream.scheduled_for && *stream.scheduled_for > now) co_return;
        co_await services_.streams.remove(host, stream.id);  // its time has passed; announced anew
    }
    // On a quarter of an hour, as people would say it.
    const Timestamp at =
        std::chrono::ceil<std::chrono::duration<std::int64_t, std::ratio<900>>>(now + announcement.in);
    const auto stream =
        co_await services_.streams.create(host, {.title = std::string(announcement.title),
                                                 .description = std::string(announcement.description),
                                                 .scheduled_for = at});
    co_await talk(stream.id, {&announcement.conversation, 1});
}

asio::awaitable<void> Seed::talk(StreamId stream, std::span<const Conversation> conversations) {
    const RoomId room{stream.value};
    if (!(co_await services_.chat.history(room, 1, std::nullopt)).items.empty()) co_return;
    for (const auto& conversation : conversations) {
        std::vector<ObjectId> said;
        for (const auto& line : conversation) {
            chat::Service::NewMessage message{
                .room_id = room,
                .client_id = Uuid::v7(services_.clock.now(), services_.random),
                .content = std::string(line.text),
                .reply_to = line.reply_to ? std::optional(said.at(*line.reply_to)) : std::nullopt};
            const auto answer = co_await services_.chat.send(resident(line.speaker).id, std::move(message));
            said.push_back(answer.id);
        }
    }
}

const Resident& Seed::resident(std::string_view username) const {
    return residents_.at(std::string(username));
}

}  // namespace spaktok::demo
