// What the operator may set: one name in the TOML file, the environment (SPAKTOK_NAME) and the flags
// (--name). Flags win over the environment, that over the file, that over the defaults. An unknown or bad
// setting stops the start.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/money.h"
#include "engines/relational/partitions.h"
#include "features/gifts/gift.h"
#include "features/oversight/flag.h"
#include "features/payments/rates.h"
#include "features/payouts/payout.h"

namespace spaktok::app {

struct SettingDescription {
    std::string_view name;      // "rate_limit_scale": in the file and, with '-' for '_', as a flag
    std::string_view fallback;  // "" where it is derived from `data`; see `help`
    std::string_view help;
};
std::span<const SettingDescription> setting_descriptions();

// A value as text and where it comes from: "default", "environment SPAKTOK_HTTP", "flag --http",
// "spaktok.toml:12".
struct SettingValue {
    std::string text;
    std::string origin;
};

// Who takes the money of those who top up their wallets.
enum class Payments { off, sandbox, stripe };

// All settings in force, typed. See setting_descriptions() for what each means.
struct Settings {
    std::filesystem::path data;
    std::string relational;
    std::vector<std::string> relational_replicas;
    relational::Partitioning relational_partitions = relational::Partitioning::yearly;
    std::string document;
    std::string realtime;
    std::string blob;
    std::string http;
    std::string rtmp;
    std::string metrics;
    std::string public_url;
    std::string rtmp_url;
    std::string node_url;
    std::string name;
    std::string web;
    bool registration_open = true;
    std::size_t threads = 0;
    std::vector<std::string> trusted_proxies;
    double rate_limit_scale = 1;
    std::int64_t gift_fee_basis_points = 0;
    gifts::Limits gift_limits;
    payouts::Rules payouts;
    oversight::FlagRules flags;
    log::Options log;
    std::string ffmpeg;
    std::chrono::milliseconds reconnect_grace{};
    std::chrono::milliseconds thumbnail_interval{};
    std::chrono::milliseconds stop_grace{};
    Payments payments = Payments::off;
    std::string stripe_secret_key;
    std::string stripe_webhook_secret;
    std::string stripe_url;
    Money top_up_min;
    Money top_up_max;
    std::vector<payments::OfferedCurrency> currencies;
    std::string exchange_rates_url;

    std::map<std::string, SettingValue> sources;  // by name, in force
};

// An embedded engine is one process's; over the others, many may work at once.
bool has_embedded_engine(const Settings& settings);

struct SettingSources {
    std::map<std::string, std::string> flags;   // by setting name
    std::optional<std::filesystem::path> file;  // named by the operator: must exist
    std::function<std::optional<std::string>(const std::string&)> environment;  // getenv, or a test's map
};
// Throws Error{invalid_argument} with a message that names the setting and its origin. Without `file`,
// spaktok.toml in the working directory is read where it exists.
Settings load_settings(const SettingSources& sources);

// What `spaktok config` prints: valid TOML, each line with its origin as a comment. Passwords in URLs are
// shown as ***.
std::string describe(const Settings& settings);

}  // namespace spaktok::app
