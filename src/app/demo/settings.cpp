#include "app/demo/settings.h"

namespace spaktok::demo {

namespace {

constexpr double rate_limit_scale = 10;
constexpr std::chrono::seconds thumbnail_interval{5};

bool is_default(const app::Settings& settings, const char* name) {
    const auto found = settings.sources.find(name);
    return found != settings.sources.end() && found->second.origin == "default";
}

}  // namespace

app::Settings demo_settings(app::Settings settings) {
    const auto choose = [&settings](const char* name, std::string text) {
        settings.sources[name] = {std::move(text), "demo"};
    };
    if (is_default(settings, "data")) {
        settings.data = "data/demo";
        choose("data", settings.data.string());
        const auto derive = [&](const char* name, std::string& value, std::string_view scheme,
                                const char* file) {
            if (is_default(settings, name)) value = std::string(scheme) + (settings.data / file).string();
        };
        derive("relational", settings.relational, "sqlite:", "spaktok.db");
        derive("document", settings.document, "sqlite:", "documents.db");
        derive("realtime", settings.realtime, "local:", "realtime.db");
        derive("blob", settings.blob, "file:", "media");
    }
    if (is_default(settings, "rate_limit_scale")) {
        settings.rate_limit_scale = rate_limit_scale;
        choose("rate_limit_scale", "10");
    }
    if (is_default(settings, "thumbnail_interval")) {
        settings.thumbnail_interval = thumbnail_interval;
        choose("thumbnail_interval", "5s");
    }
    if (is_default(settings, "payments")) {
        settings.payments = app::Payments::sandbox;
        choose("payments", "sandbox");
    }
    if (is_default(settings, "currencies")) {
        constexpr std::string_view offer = "USD,EUR=0.9221,GBP=0.7712,JPY=151.30";
        settings.currencies = payments::parse_offer(offer);
        choose("currencies", std::string(offer));
    }
    return settings;
}

}  // namespace spaktok::demo
