#include "app/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <thread>

#include <boost/url/parse.hpp>
#include <fmt/format.h>
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/error.h"
#include "engines/relational/database.h"
#include "features/ledger/movement.h"
#include "features/payments/payment_service.h"

namespace spaktok::app {

namespace {

constexpr std::size_t flag_gifts_max = 1'000'000;

constexpr std::array descriptions{
    SettingDescription{"data", "data",
                       "Directory of everything that the embedded engines keep; created where missing."},
    SettingDescription{
        "relational", "",
        "People, graph, content, money: sqlite:FILE or postgres://…. Default: sqlite:<data>/spaktok.db"},
    SettingDescription{"relational_replicas", "",
                       "Streaming replicas of a PostgreSQL in `relational`, which answer lists: at most 8 "
                       "postgres://… of one host each, separated by commas."},
    SettingDescription{"relational_partitions", "true",
                       "Whether PostgreSQL has a partition a year of posts and streams: true, or false for a "
                       "distributed engine that knows none. Counts only when the tables are made."},
    SettingDescription{
        "document", "",
        "Chats and live streams: sqlite:FILE or mongodb://…. Default: sqlite:<data>/documents.db"},
    SettingDescription{"realtime", "",
                       "Sessions, topics, counters: local:FILE, redis://…, redis+sentinel://…/MASTER or "
                       "redis+cluster://…, with TLS rediss…. Default: "
                       "local:<data>/realtime.db"},
    SettingDescription{"blob", "",
                       "Pictures and thumbnails: file:DIR, or "
                       "s3://ACCESS_KEY:SECRET_KEY@BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION. "
                       "Default: file:<data>/media"},
    SettingDescription{
        "http", "127.0.0.1:8080",
        "Address of the page, the API and the live streams, host:port; port 0 takes a free one."},
    SettingDescription{"rtmp", "0.0.0.0:1935",
                       "Address where OBS and ffmpeg publish, host:port; empty for none."},
    SettingDescription{"metrics", "127.0.0.1:9090",
                       "Address of /metrics for Prometheus, host:port; empty for none."},
    SettingDescription{"public_url", "",
                       "Origin that browsers use, such as https://live.example.org. Default: http://<http>"},
    SettingDescription{"rtmp_url", "",
                       "Address shown to publishers, such as rtmp://live.example.org/live. Default: derived "
                       "from public_url and rtmp."},
    SettingDescription{"node_url", "",
                       "Address by which other nodes of the same place reach this one, such as "
                       "http://10.0.0.5:8080. Default: http://<http>"},
    SettingDescription{"name", "Spaktok", "Name of this place, shown on the page; at most 60 characters."},
    SettingDescription{"web", "", "Directory of the built page. Default: the page inside the program."},
    SettingDescription{"registration", "open", "Who may sign up: open or closed."},
    SettingDescription{"threads", "0", "I/O threads; 0 takes one a core, at most 64."},
    SettingDescription{
        "trusted_proxies", "",
        "Addresses of reverse proxies whose X-Forwarded-For is believed, separated by commas."},
    SettingDescription{"rate_limit_scale", "1", "Multiplies every rate limit, 0.01 to 100000."},
    SettingDescription{
        "gift_fee_basis_points", "3000",
        "The platform's share of a gift in hundredths of a percent, 0 to 10000, rounded to the "
        "cent, half to even."},
    SettingDescription{"gift_max", "500.00", "The most that a gift may cost, in USD."},
    SettingDescription{"gifts_day_max", "2000.00", "The most that a person may give a day (UTC), in USD."},
    SettingDescription{"gifts_day_max_new", "100.00", "The same for accounts that are younger than a day."},
    SettingDescription{"payout_minimum", "20.00", "The least that a payout may be, in USD."},
    SettingDescription{"payout_holding_days", "7",
                       "How long a gift stays on hold before it can be paid out, 0 to 365 days."},
    SettingDescription{"flag_circle_amount", "100.00",
                       "Two who give each other at least so much USD within a day are flagged for review."},
    SettingDescription{"flag_burst_gifts", "100",
                       "Who sends more gifts than that within ten minutes is flagged for review."},
    SettingDescription{"flag_burst_amount", "500.00",
                       "Who gives more USD than that within ten minutes is flagged for review."},
    SettingDescription{"log_level", "info", "debug, info, warning or error."},
    SettingDescription{"log_format", "text", "text or json."},
    SettingDescription{"ffmpeg", "ffmpeg", "The ffmpeg program, for thumbnails and pictures."},
    SettingDescription{"reconnect_grace", "30s",
                       "How long a broadcast waits for its publisher to return, 0s to 10m."},
    SettingDescription{"thumbnail_interval", "10s",
                       "How often a live stream's thumbnail is made, 2s to 10m; 0s for never."},
    SettingDescription{"stop_grace", "10s", "How long a stop lets requests and writes finish, 0s to 5m."},
    SettingDescription{"payments", "off",
                       "How people top up their wallets: off, sandbox (play money) or stripe. See "
                       "docs/money.md."},
    SettingDescription{"stripe_secret_key", "",
                       "Stripe's secret key, sk_… or rk_…; for `payments = stripe`."},
    SettingDescription{"stripe_webhook_secret", "",
                       "Signing secret of the webhook at Stripe, whsec_…; for `payments = stripe`."},
    SettingDescription{"stripe_url", "https://api.stripe.com", "Address of Stripe's API."},
    SettingDescription{"top_up_min", "1.00", "Least that can be topped up at once, USD, from 0.01."},
    SettingDescription{"top_up_max", "500.00", "Most that can be topped up at once, USD, to 100000.00."},
    SettingDescription{"currencies", "USD",
                       "What people may pay in, separated by commas, with units for 1 USD or without: "
                       "\"USD,EUR=0.9221,JPY\". Those without are on offer while `exchange_rates_url` has a "
                       "rate."},
    SettingDescription{
        "exchange_rates_url", "",
        "Daily rates in the format of the European Central Bank's eurofxref-daily.xml, fetched once "
        "a day; empty for none."},
};

[[noreturn]] void refuse(std::string_view name, const SettingValue& value, std::string_view expected) {
    throw Error(
        ErrorCode::invalid_argument,
        fmt::format("{}: setting `{}` is \"{}\", but must be {}", value.origin, name, value.text, expected),
        {.field = std::string(name)});
}

const SettingDescription* find_description(std::string_view name) {
    const auto* found = std::ranges::find(descriptions, name, &SettingDescription::name);
    return found == descriptions.end() ? nullptr : found;
}

std::string environment_name(std::string_view name) {
    std::string result = "SPAKTOK_";
    for (const char c : name)
        result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return result;
}

std::string flag_name(std::string_view name) {
    std::string result = "--" + std::string(name);
    std::ranges::replace(result, '_', '-');
    return result;
}

// A TOML value as the text that the environment would hold; lists become words separated by commas.
std::optional<std::string> text_of(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) return *text;
    if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
    if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
    if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
    const auto* list = node.as_array();
    if (list == nullptr) return std::nullopt;
    std::string joined;
    for (const auto& item : *list) {
        const auto text = item.value_exact<std::string>();
        if (!text) return std::nullopt;
        if (!joined.empty()) joined += ',';
        joined += *text;
    }
    return joined;
}

void read_file(const std::filesystem::path& path, std::map<std::string, SettingValue>& values) {
    toml::table table;
    try {
        table = toml::parse_file(path.string());
    } catch (const toml::parse_error& error) {
        throw Error(ErrorCode::invalid_argument,
                    fmt::format("{}:{}: {}", path.string(), error.source().begin.line,
                                std::string_view(error.description())));
    }
    for (const auto& [key, node] : table) {
        const std::string name(key.str());
        const std::string origin = fmt::format("{}:{}", path.string(), key.source().begin.line);
        if (find_description(name) == nullptr) {
            throw Error(ErrorCode::invalid_argument,
                        fmt::format("{}: there is no setting `{}`", origin, name), {.field = name});
        }
        const auto text = text_of(node);
        if (!text) {
            throw Error(
                ErrorCode::invalid_argument,
                fmt::format("{}: setting `{}` must be text, a number, true or false, or a list of texts",
                            origin, name),
                {.field = name});
        }
        values[name] = {*text, origin};
    }
}

std::size_t read_size(std::string_view name, const SettingValue& value, std::size_t maximum) {
    std::size_t number = 0;
    const auto* end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    if (error != std::errc{} || stop != end || number > maximum) {
        refuse(name, value, fmt::format("a whole number from 0 to {}", maximum));
    }
    return number;
}

double read_double(std::string_view name, const SettingValue& value, double minimum, double maximum) {
    double number = 0;
    const auto* end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, number);
    if (error != std::errc{} || stop != end || !(number >= minimum && number <= maximum)) {
        refuse(name, value, fmt::format("a number from {} to {}", minimum, maximum));
    }
    return number;
}

// USD, with at most two decimals.
Money read_amount(std::string_view name, const SettingValue& value, Money maximum = ledger::amount_max) {
    const auto amount = Money::parse(value.text);
    if (!amount || *amount <= Money{} || *amount > maximum)
        refuse(name, value, fmt::format("an amount from 0.01 to {}", maximum.to_string()));
    return *amount;
}

struct DurationRange {
    std::chrono::milliseconds minimum;
    std::chrono::milliseconds maximum;
    std::string_view words;
};

std::chrono::milliseconds read_duration(std::string_view name, const SettingValue& value,
                                        const DurationRange& range) {
    std::int64_t count = 0;
    const auto* end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data(), end, count);
    const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
    const std::int64_t scale = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    if (error == std::errc{} && scale > 0 && count >= 0 && count <= range.maximum.count()) {
        const std::chrono::milliseconds duration{count * scale};
        if (duration >= range.minimum && duration <= range.maximum) return duration;
    }
    refuse(name, value, range.words);
}

template <class T>
T read_word(std::string_view name, const SettingValue& value,
            std::initializer_list<std::pair<std::string_view, T>> words) {
    std::string expected;
    for (const auto& [word, meaning] : words) {
        if (value.text == word) return meaning;
        expected += expected.empty() ? "" : " or ";
        expected += word;
    }
    refuse(name, value, expected);
}

std::string read_address(std::string_view name, const SettingValue& value, bool may_be_empty) {
    if (value.text.empty() && may_be_empty) return "";
    const auto colon = value.text.rfind(':');
    if (colon == std::string::npos || colon == 0) refuse(name, value, "host:port");
    unsigned port = 0;
    const auto* end = value.text.data() + value.text.size();
    const auto [stop, error] = std::from_chars(value.text.data() + colon + 1, end, port);
    if (error != std::errc{} || stop != end || port > 65535)
        refuse(name, value, "host:port with a port up to 65535");
    return value.text;
}

std::string read_origin(std::string_view name, const SettingValue& value) {
    if (value.text.empty()) return "";
    const auto url = boost::urls::parse_uri(value.text);
    const bool is_web = url.has_value() && (url->scheme() == "http" || url->scheme() == "https");
    if (!is_web || url->host().empty() || (!url->path().empty() && url->path() != "/") || url->has_query()) {
        refuse(name, value, "an origin such as https://live.example.org");
    }
    return value.text.ends_with('/') ? value.text.substr(0, value.text.size() - 1) : value.text;
}

std::vector<std::string> read_list(const std::string& text) {
    std::vector<std::string> items;
    std::stringstream stream(text);
    std::string item;
    while (std::getline(stream, item, ',')) {
        const auto first = item.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        items.push_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
    }
    return items;
}

std::string engine_url(const SettingValue& value, std::string_view scheme,
                       const std::filesystem::path& fallback) {
    return value.text.empty() ? fmt::format("{}:{}", scheme, fallback.string()) : value.text;
}

std::map<std::string, SettingValue> gather(const SettingSources& sources) {
    std::map<std::string, SettingValue> values;
    for (const auto& description : descriptions) {
        values[std::string(description.name)] = {std::string(description.fallback), "default"};
    }
    const std::filesystem::path usual = "spaktok.toml";
    if (sources.file) {
        if (!std::filesystem::exists(*sources.file)) {
            throw Error(ErrorCode::invalid_argument,
                        fmt::format("there is no settings file {}", sources.file->string()));
        }
        read_file(*sources.file, values);
    } else if (std::filesystem::exists(usual)) {
        read_file(usual, values);
    }
    for (const auto& description : descriptions) {
        const std::string variable = environment_name(description.name);
        if (const auto text = sources.environment(variable)) {
            values[std::string(description.name)] = {*text, "environment " + variable};
        }
    }
    for (const auto& [name, text] : sources.flags)
        values[name] = {text, "flag " + flag_name(name)};
    return values;
}

bool is_postgres(std::string_view url) {
    return url.starts_with("postgres://") || url.starts_with("postgresql://");
}

// Of a parameter: password, tlsCertificateKeyFilePassword … Who escapes a name may have meant any.
bool names_a_password(std::string name) {
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name.find("password") != std::string::npos || name.find('%') != std::string::npos;
}

// postgres://host/db?user=u&password=secret → postgres://host/db?user=u&password=***
std::string without_parameter_passwords(std::string text) {
    for (auto at = text.find('?'); at != std::string::npos; at = text.find_first_of("?&", at + 1)) {
        const auto end = std::min(text.find('&', at + 1), text.size());
        const auto equals = std::min(text.find('=', at), end);
        if (equals != end && names_a_password(text.substr(at + 1, equals - at - 1)))
            text.replace(equals + 1, end - equals - 1, "***");
    }
    return text;
}

// postgres://user:secret@host/db → postgres://user:***@host/db. A secret may have a '/', '?' or '@' that
// should have been escaped, so that it is no URL or another one: everything up to the last '@' is taken for
// it, and where that was in a parameter's secret, everything.
std::string without_password(const std::string& text) {
    const auto shown = without_parameter_passwords(text);
    const auto authority = text.find("://");
    if (authority == std::string::npos) return shown;
    const auto colon = text.find_first_of(":/?", authority + 3);
    const auto at = text.rfind('@');
    if (colon == std::string::npos || text[colon] != ':' || at == std::string::npos || at < colon)
        return shown;
    const auto shown_at = shown.rfind('@');
    return shown.substr(0, colon + 1) + "***" + (shown_at == std::string::npos ? "" : shown.substr(shown_at));
}

// Of each item, where it is a list.
std::string without_passwords(std::string_view name, const std::string& text) {
    if (name == "stripe_secret_key" || name == "stripe_webhook_secret") return text.empty() ? "" : "***";
    if (name != "relational_replicas") return without_password(text);
    std::string shown;
    for (const auto& url : read_list(text))
        shown += (shown.empty() ? "" : ",") + without_password(url);
    return shown;
}

void read_payments(const std::map<std::string, SettingValue>& sources, Settings& settings) {
    const auto value = [&](const char* name) -> const SettingValue& { return sources.at(name); };
    settings.payments = read_word<Payments>(
        "payments", value("payments"),
        {{"off", Payments::off}, {"sandbox", Payments::sandbox}, {"stripe", Payments::stripe}});
    const bool has_stripe = settings.payments == Payments::stripe;
    for (const auto& [name, secret] : {std::pair{"stripe_secret_key", &settings.stripe_secret_key},
                                       std::pair{"stripe_webhook_secret", &settings.stripe_webhook_secret}}) {
        *secret = value(name).text;
        const bool is_one_word = secret->find_first_of(" \t\r\n") == std::string::npos;
        if ((has_stripe && secret->empty()) || !is_one_word)
            refuse(name, {"***", value(name).origin}, "Stripe's, without spaces, where `payments` is stripe");
    }
    settings.stripe_url = read_origin("stripe_url", value("stripe_url"));
    if (has_stripe && settings.stripe_url.empty()) refuse("stripe_url", value("stripe_url"), "an address");
    settings.top_up_min = read_amount("top_up_min", value("top_up_min"), payments::top_up_amount_max);
    settings.top_up_max = read_amount("top_up_max", value("top_up_max"), payments::top_up_amount_max);
    if (settings.top_up_min > settings.top_up_max)
        refuse("top_up_min", value("top_up_min"), "at most `top_up_max`");
    try {
        settings.currencies = payments::parse_offer(value("currencies").text);
    } catch (const Error& error) {
        refuse("currencies", value("currencies"), "a list such as USD,EUR=0.9221,JPY: " + error.message());
    }
    settings.exchange_rates_url = value("exchange_rates_url").text;
    const auto& feed = settings.exchange_rates_url;
    if (!feed.empty() && !feed.starts_with("https://") && !feed.starts_with("http://"))
        refuse("exchange_rates_url", value("exchange_rates_url"), "an address with https:// or http://");
}

std::vector<std::string> read_replicas(const SettingValue& value, std::string_view primary) {
    constexpr std::string_view name = "relational_replicas";
    auto urls = read_list(value.text);
    const SettingValue shown{without_passwords(name, value.text), value.origin};
    if (!urls.empty() && !is_postgres(primary))
        refuse(name, shown, "empty where `relational` is no postgres://…");
    if (urls.size() > relational::replicas_max || !std::ranges::all_of(urls, is_postgres))
        refuse(name, shown, fmt::format("at most {} addresses, each postgres://…", relational::replicas_max));
    return urls;
}

}  // namespace

std::span<const SettingDescription> setting_descriptions() {
    return descriptions;
}

bool has_embedded_engine(const Settings& settings) {
    return settings.relational.starts_with("sqlite:") || settings.document.starts_with("sqlite:") ||
           settings.realtime.starts_with("local:");
}

Settings load_settings(const SettingSources& sources) {
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    using std::chrono::seconds;
    Settings settings;
    settings.sources = gather(sources);
    const auto value = [&](const char* name) -> const SettingValue& { return settings.sources.at(name); };

    settings.data = value("data").text;
    if (settings.data.empty()) refuse("data", value("data"), "a directory");
    settings.relational = engine_url(value("relational"), "sqlite", settings.data / "spaktok.db");
    settings.relational_replicas = read_replicas(value("relational_replicas"), settings.relational);
    settings.relational_partitions = read_word<relational::Partitioning>(
        "relational_partitions", value("relational_partitions"),
        {{"true", relational::Partitioning::yearly}, {"false", relational::Partitioning::none}});
    settings.document = engine_url(value("document"), "sqlite", settings.data / "documents.db");
    settings.realtime = engine_url(value("realtime"), "local", settings.data / "realtime.db");
    settings.blob = engine_url(value("blob"), "file", settings.data / "media");
    settings.http = read_address("http", value("http"), false);
    settings.rtmp = read_address("rtmp", value("rtmp"), true);
    settings.metrics = read_address("metrics", value("metrics"), true);
    settings.public_url = read_origin("public_url", value("public_url"));
    settings.node_url = read_origin("node_url", value("node_url"));
    if (settings.node_url.starts_with("https:"))
        refuse("node_url", value("node_url"), "an address with http://");
    settings.rtmp_url = value("rtmp_url").text;
    if (!settings.rtmp_url.empty() && !settings.rtmp_url.starts_with("rtmp://")) {
        refuse("rtmp_url", value("rtmp_url"), "an address such as rtmp://live.example.org/live");
    }
    settings.name = value("name").text;
    if (settings.name.empty() || settings.name.size() > 60)
        refuse("name", value("name"), "1 to 60 characters long");
    settings.web = value("web").text;
    settings.registration_open =
        read_word<bool>("registration", value("registration"), {{"open", true}, {"closed", false}});
    settings.threads = read_size("threads", value("threads"), 64);
    if (settings.threads == 0)
        settings.threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 64);
    settings.trusted_proxies = read_list(value("trusted_proxies").text);
    settings.rate_limit_scale = read_double("rate_limit_scale", value("rate_limit_scale"), 0.01, 100'000);
    settings.gift_fee_basis_points = static_cast<std::int64_t>(
        read_size("gift_fee_basis_points", value("gift_fee_basis_points"), gifts::basis_points_one));
    settings.gift_limits.of_gift = read_amount("gift_max", value("gift_max"));
    settings.gift_limits.of_day = read_amount("gifts_day_max", value("gifts_day_max"));
    settings.gift_limits.of_day_when_new = read_amount("gifts_day_max_new", value("gifts_day_max_new"));
    settings.log.level = read_word<log::Level>("log_level", value("log_level"),
                                               {{"debug", log::Level::debug},
                                                {"info", log::Level::info},
                                                {"warning", log::Level::warning},
                                                {"error", log::Level::error}});
    settings.log.format = read_word<log::Format>("log_format", value("log_format"),
                                                 {{"text", log::Format::text}, {"json", log::Format::json}});
    settings.payouts.minimum = read_amount("payout_minimum", value("payout_minimum"));
    settings.payouts.holding =
        std::chrono::days(read_size("payout_holding_days", value("payout_holding_days"), 365));
    settings.flags.circle_amount = read_amount("flag_circle_amount", value("flag_circle_amount"));
    settings.flags.burst_gifts =
        static_cast<std::int64_t>(read_size("flag_burst_gifts", value("flag_burst_gifts"), flag_gifts_max));
    settings.flags.burst_amount = read_amount("flag_burst_amount", value("flag_burst_amount"));
    settings.ffmpeg = value("ffmpeg").text;
    settings.reconnect_grace =
        read_duration("reconnect_grace", value("reconnect_grace"),
                      {milliseconds(0), minutes(10), "a duration from 0s to 10m, such as 30s"});
    settings.thumbnail_interval =
        value("thumbnail_interval").text == "0s"
            ? milliseconds(0)
            : read_duration("thumbnail_interval", value("thumbnail_interval"),
                            {seconds(2), minutes(10), "0s, or a duration from 2s to 10m"});
    settings.stop_grace =
        read_duration("stop_grace", value("stop_grace"),
                      {milliseconds(0), minutes(5), "a duration from 0s to 5m, such as 10s"});
    read_payments(settings.sources, settings);
    return settings;
}

std::string describe(const Settings& settings) {
    const std::map<std::string_view, std::string> derived{{"relational", settings.relational},
                                                          {"document", settings.document},
                                                          {"realtime", settings.realtime},
                                                          {"blob", settings.blob}};
    std::string text;
    for (const auto& description : descriptions) {
        const auto& source = settings.sources.at(std::string(description.name));
        const auto found = derived.find(description.name);
        const std::string shown =
            without_passwords(description.name, found != derived.end() ? found->second : source.text);
        std::ostringstream quoted;
        quoted << toml::value<std::string>(shown);
        text += fmt::format("{} = {}  # {}\n", description.name, quoted.str(), source.origin);
    }
    return text;
}

}  // namespace spaktok::app
