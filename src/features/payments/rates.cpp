#include "features/payments/rates.h"

#include <algorithm>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/log.h"
#include "features/ledger/movement.h"
#include "features/payments/currency.h"

namespace spaktok::payments {

namespace asio = boost::asio;
using relational::Mode;
using relational::Statement;

namespace {

constexpr std::chrono::minutes choices_life{1};
constexpr std::chrono::hours rate_life{24 * 7};  // longer than any run of holidays
constexpr std::chrono::hours feed_interval{24};
constexpr std::chrono::hours retry_interval{1};

// The newest of a currency comes last.
constexpr Statement select_rates{
    .name = "exchange_rates_newest",
    .sql = "SELECT currency, rate FROM exchange_rates WHERE day >= $1 ORDER BY day",
    .postgres_sql =
        "SELECT currency, CAST(rate * 10000 AS BIGINT) AS rate FROM exchange_rates WHERE day >= CAST($1 AS "
        "DATE) ORDER BY day"};
constexpr Statement upsert_rates{
    .name = "exchange_rates_store",
    .sql =
        "INSERT INTO exchange_rates (currency, day, rate, created_at) "
        "SELECT value->>0, $1, value->>1, $2 FROM json_each($3) WHERE TRUE "
        "ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate",
    .postgres_sql =
        "INSERT INTO exchange_rates (currency, day, rate, created_at) "
        "SELECT value->>0, CAST($1 AS DATE), CAST(value->>1 AS NUMERIC) * 0.0001, CAST($2 AS TIMESTAMP WITH "
        "TIME "
        "ZONE) FROM jsonb_array_elements($3) ON CONFLICT (currency, day) DO UPDATE SET rate = excluded.rate",
    .mode = Mode::write};

Error bad_feed(std::string detail) {
    return Error(ErrorCode::unavailable, "The exchange rates could not be read.",
                 {.detail = std::move(detail)});
}

Error bad_offer(std::string message) {
    return Error(ErrorCode::invalid_argument, std::move(message));
}

bool is_day(const std::string& text) {
    return parse_rfc3339(text + "T00:00:00Z").has_value() && text.size() == 10;
}

std::string day_of(Timestamp at) {
    return to_rfc3339(at).substr(0, 10);
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

bool offers(const std::vector<OfferedCurrency>& offer, std::string_view currency) {
    return std::ranges::find(offer, currency, &OfferedCurrency::currency) != offer.end();
}

OfferedCurrency parse_offered(std::string_view item) {
    const auto equals = item.find('=');
    OfferedCurrency offered{.currency = std::string(trimmed(item.substr(0, equals)))};
    if (!decimals_of(offered.currency))
        throw bad_offer(fmt::format("\"{}\" is no currency that is taken", offered.currency));
    if (offered.currency == "USD") {
        if (equals != std::string_view::npos) throw bad_offer("USD has no rate");
        offered.fixed_rate = ledger::rate_one;
    } else if (equals != std::string_view::npos) {
        offered.fixed_rate = parse_rate(trimmed(item.substr(equals + 1)));
        if (!offered.fixed_rate) throw bad_offer(fmt::format("\"{}\" has no rate such as 0.9221", item));
    }
    return offered;
}

}  // namespace

DailyRates parse_feed(std::string_view xml) {
    if (xml.size() > feed_bytes_max) throw bad_feed("the feed is too large");
    pugi::xml_document document;
    // No document type: nothing grows in it.
    if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal | pugi::parse_escapes))
        throw bad_feed("the feed is no XML");
    const auto daily = document.document_element().child("Cube").child("Cube");
    DailyRates result{.day = daily.attribute("time").value()};
    if (!is_day(result.day)) throw bad_feed("the feed has no day");
    std::map<std::string, std::int64_t> of_euro{{"EUR", fine_rate_one}};
    for (const auto cube : daily.children("Cube")) {
        if (of_euro.size() > 4 * currencies_max) throw bad_feed("the feed has too many currencies");
        const auto rate = parse_fine_rate(cube.attribute("rate").value());
        const std::string currency = cube.attribute("currency").value();
        if (decimals_of(currency) && rate) of_euro[currency] = *rate;
    }
    const auto dollar = of_euro.find("USD");
    if (dollar == of_euro.end()) throw bad_feed("the feed has no USD");
    for (const auto& [currency, rate] : of_euro) {
        if (currency == "USD") continue;
        const auto of_dollar = divide_half_even(rate * ledger::rate_one, dollar->second);
        if (of_dollar > 0 && of_dollar <= rate_max) result.rates[currency] = of_dollar;
    }
    return result;
}

std::vector<OfferedCurrency> parse_offer(std::string_view text) {
    std::vector<OfferedCurrency> offer;
    for (auto rest = text; !trimmed(rest).empty();) {
        const auto comma = rest.find(',');
        auto offered = parse_offered(trimmed(rest.substr(0, comma)));
        if (offers(offer, offered.currency)) throw bad_offer(offered.currency + " is there twice");
        if (offer.size() == currencies_max)
            throw bad_offer(fmt::format("at most {} currencies can be offered", currencies_max));
        offer.push_back(std::move(offered));
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
    if (!offers(offer, "USD"))
        offer.insert(offer.begin(), {.currency = "USD", .fixed_rate = ledger::rate_one});
    return offer;
}

Rates::Rates(Options options) : options_(std::move(options)) {}

asio::awaitable<std::vector<CurrencyChoice>> Rates::choices() {
    const auto now = options_.clock.now();
    {
        const std::scoped_lock lock(mutex_);
        if (choices_ && now - read_at_ < choices_life) co_return *choices_;
    }
    const auto rates = co_await stored();
    std::vector<CurrencyChoice> choices;
    for (const auto& [currency, fixed] : options_.offer) {
        const auto found = rates.find(currency);
        if (!fixed && found == rates.end()) continue;
        choices.push_back({.currency = currency,
                           .exchange_rate = fixed ? *fixed : found->second,
                           .decimals = *decimals_of(currency)});
    }
    const std::scoped_lock lock(mutex_);
    choices_ = choices;
    read_at_ = now;
    co_return choices;
}

asio::awaitable<std::map<std::string, std::int64_t>> Rates::stored() {
    std::map<std::string, std::int64_t> rates;
    if (std::ranges::all_of(options_.offer, [](const auto& one) { return one.fixed_rate.has_value(); }))
        co_return rates;
    const auto since = day_of(options_.clock.now() - rate_life);
    for (const auto row : co_await options_.database.query(select_rates, since))
        rates[row.get<std::string>("currency")] = row.get<std::int64_t>("rate");
    co_return rates;
}

asio::awaitable<void> Rates::store(DailyRates daily) {
    json::Array rows;
    for (const auto& [currency, rate] : daily.rates)
        rows.push_back(json::Array{boost::json::string(currency), rate});
    co_await options_.database.query(upsert_rates, daily.day, options_.clock.now(),
                                     json::Value(std::move(rows)));
    const std::scoped_lock lock(mutex_);
    choices_.reset();
}

asio::awaitable<void> Rates::update() {
    if (options_.feed_url.empty()) co_return;
    {
        const auto now = options_.clock.now();
        const std::scoped_lock lock(mutex_);
        if (now < due_at_) co_return;
        due_at_ = now + retry_interval;
    }
    const auto answer = co_await options_.web.send(
        {.method = "GET", .url = options_.feed_url, .answer_bytes_max = feed_bytes_max});
    if (answer.status != 200) throw bad_feed(fmt::format("the feed answered {}", answer.status));
    auto daily = parse_feed(answer.body);
    log::info("exchange rates updated", {{"day", daily.day}, {"currencies", daily.rates.size()}});
    co_await store(std::move(daily));
    const std::scoped_lock lock(mutex_);
    due_at_ = options_.clock.now() + feed_interval;
}

}  // namespace spaktok::payments
