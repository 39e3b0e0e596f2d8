#include "app/settings.h"

#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "base/error.h"
#include "engines/relational/database.h"

namespace spaktok::app {
namespace {

class SettingsTest : public testing::Test {
  protected:
    SettingsTest()
        : file_(std::filesystem::temp_directory_path() /
                ("spaktok-settings-" + std::to_string(getpid()) + ".toml")) {}
    ~SettingsTest() override { std::filesystem::remove(file_); }

    void write(const std::string& text) {
        std::ofstream(file_) << text;
        sources_.file = file_;
    }
    Settings load() {
        sources_.environment = [this](const std::string& name) -> std::optional<std::string> {
            const auto found = environment_.find(name);
            return found == environment_.end() ? std::nullopt : std::optional(found->second);
        };
        return load_settings(sources_);
    }
    std::string refusal() {
        try {
            load();
        } catch (const Error& error) {
            return error.message();
        }
        return "accepted";
    }

    std::filesystem::path file_;
    std::map<std::string, std::string> environment_;
    SettingSources sources_;
};

TEST_F(SettingsTest, DefaultsKeepEverythingBelowTheDataDirectory) {
    sources_.flags["data"] = "/srv/spaktok";
    const auto settings = load();
    EXPECT_EQ(settings.relational, "sqlite:/srv/spaktok/spaktok.db");
    EXPECT_EQ(settings.blob, "file:/srv/spaktok/media");
    EXPECT_EQ(settings.reconnect_grace, std::chrono::seconds(30));
    EXPECT_EQ(settings.gift_fee_basis_points, 3'000);
    EXPECT_EQ(settings.gift_limits.of_gift, Money::from_minor(50'000));
    EXPECT_EQ(settings.gift_limits.of_day, Money::from_minor(200'000));
    EXPECT_EQ(settings.gift_limits.of_day_when_new, Money::from_minor(10'000));
    EXPECT_EQ(settings.relational_partitions, relational::Partitioning::yearly);
    EXPECT_GE(settings.threads, 1U);
}

TEST_F(SettingsTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
    write("http = \"127.0.0.1:1\"\nname = \"File\"\nrtmp = \"127.0.0.1:1\"\n");
    environment_["SPAKTOK_HTTP"] = "127.0.0.1:2";
    environment_["SPAKTOK_NAME"] = "Environment";
    sources_.flags["http"] = "127.0.0.1:3";
    const auto settings = load();
    EXPECT_EQ(settings.http, "127.0.0.1:3");
    EXPECT_EQ(settings.name, "Environment");
    EXPECT_EQ(settings.rtmp, "127.0.0.1:1");
    EXPECT_EQ(settings.sources.at("http").origin, "flag --http");
    EXPECT_EQ(settings.sources.at("name").origin, "environment SPAKTOK_NAME");
    EXPECT_EQ(settings.sources.at("rtmp").origin, file_.string() + ":3");
}

TEST_F(SettingsTest, PartitionsMayBeLeftOut) {
    write("relational_partitions = false\n");
    EXPECT_EQ(load().relational_partitions, relational::Partitioning::none);
    sources_.flags["relational_partitions"] = "true";
    EXPECT_EQ(load().relational_partitions, relational::Partitioning::yearly);
}

TEST_F(SettingsTest, NamesTheLineOfAnUnknownSetting) {
    write("# comment\nhttp = \"127.0.0.1:1\"\nhtttp = 1\n");
    EXPECT_EQ(refusal(), file_.string() + ":3: there is no setting `htttp`");
}

TEST_F(SettingsTest, NamesTheLineOfASyntaxError) {
    write("http = \"127.0.0.1:1\"\nname = \n");
    EXPECT_TRUE(refusal().starts_with(file_.string() + ":2: ")) << refusal();
}

TEST_F(SettingsTest, AMissingFileThatWasAskedForIsAnError) {
    sources_.file = file_;
    EXPECT_EQ(refusal(), "there is no settings file " + file_.string());
}

struct BadSetting {
    const char* name;
    const char* value;
};
class BadSettings : public SettingsTest, public testing::WithParamInterface<BadSetting> {};

TEST_P(BadSettings, AreRefusedByNameAndOrigin) {
    sources_.flags[GetParam().name] = GetParam().value;
    const auto message = refusal();
    EXPECT_TRUE(message.starts_with("flag --")) << message;
    EXPECT_NE(message.find("setting `" + std::string(GetParam().name) + "`"), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadSettings,
    testing::Values(BadSetting{"http", ""}, BadSetting{"http", "8080"}, BadSetting{"http", "host:65536"},
                    BadSetting{"http", ":80"}, BadSetting{"rtmp", "host:x"}, BadSetting{"data", ""},
                    BadSetting{"public_url", "live.example.org"},
                    BadSetting{"public_url", "ftp://live.example.org"},
                    BadSetting{"public_url", "https://live.example.org/path"},
                    BadSetting{"rtmp_url", "http://live.example.org"}, BadSetting{"name", ""},
                    BadSetting{"relational_partitions", "yes"}, BadSetting{"registration", "maybe"},
                    BadSetting{"threads", "65"}, BadSetting{"threads", "-1"},
                    BadSetting{"rate_limit_scale", "0"}, BadSetting{"rate_limit_scale", "100001"},
                    BadSetting{"gift_fee_basis_points", "10001"}, BadSetting{"gift_max", "0.00"},
                    BadSetting{"gifts_day_max", "100000000.00"}, BadSetting{"gifts_day_max_new", "1.005"},
                    BadSetting{"log_level", "loud"}, BadSetting{"reconnect_grace", "30"},
                    BadSetting{"reconnect_grace", "601s"}, BadSetting{"thumbnail_interval", "1s"},
                    BadSetting{"stop_grace", "6m"}, BadSetting{"payments", "maybe"},
                    BadSetting{"stripe_url", "api.stripe.com"}, BadSetting{"stripe_secret_key", "sk 1"},
                    BadSetting{"top_up_min", "0.00"}, BadSetting{"top_up_min", "500.01"},
                    BadSetting{"top_up_max", "100000.01"}, BadSetting{"top_up_max", "1.001"},
                    BadSetting{"currencies", "EURO"}, BadSetting{"currencies", "USD,USD"},
                    BadSetting{"exchange_rates_url", "rates.xml"}));

TEST_F(SettingsTest, AcceptsTheLimitsThemselves) {
    sources_.flags = {{"http", "host:65535"},
                      {"threads", "64"},
                      {"gift_fee_basis_points", "10000"},
                      {"gift_max", "0.01"},
                      {"gifts_day_max", "99999999.99"},
                      {"rate_limit_scale", "100000"},
                      {"reconnect_grace", "600s"},
                      {"thumbnail_interval", "2s"},
                      {"stop_grace", "5m"},
                      {"name", std::string(60, 'x')}};
    EXPECT_EQ(refusal(), "accepted");
}

TEST_F(SettingsTest, ConfigIsTomlThatGivesTheSameSettingsAndHidesPasswords) {
    sources_.flags = {{"relational", "postgres://spaktok:hunter2@db/spaktok"},
                      {"document", "mongodb://spaktok:hunter2@a:1,b:2/spaktok?replicaSet=rs"},
                      {"realtime", "redis://:sec/ret@cache:6379/1"},
                      {"payments", "stripe"},
                      {"stripe_secret_key", "sk_hunter2"},
                      {"stripe_webhook_secret", "whsec_hunter2"},
                      {"name", "A \"quoted\" name"}};
    const auto first = load();
    const auto text = describe(first);
    EXPECT_EQ(text.find("hunter2"), std::string::npos);
    EXPECT_EQ(text.find("sec/ret"), std::string::npos);
    EXPECT_NE(text.find("redis://:***@cache:6379/1"), std::string::npos);
    EXPECT_NE(text.find("postgres://spaktok:***@db/spaktok"), std::string::npos);
    EXPECT_NE(text.find("mongodb://spaktok:***@a:1,b:2/spaktok?replicaSet=rs"), std::string::npos);
    sources_.flags.clear();
    write(text);
    const auto second = load();
    EXPECT_EQ(second.name, first.name);
    EXPECT_EQ(second.blob, first.blob);
}

TEST_F(SettingsTest, ReplicasAreAListOfAddressesOfOnePostgresql) {
    sources_.flags["relational"] = "postgres://db/spaktok";
    write("relational_replicas = [\"postgres://u:one@a/x\", \"postgresql://u:two@b/x\"]\n");
    EXPECT_THAT(load().relational_replicas,
                testing::ElementsAre("postgres://u:one@a/x", "postgresql://u:two@b/x"));
    EXPECT_NE(describe(load()).find("'postgres://u:***@a/x,postgresql://u:***@b/x'"), std::string::npos)
        << describe(load());
    std::string many = "postgres://r/x";
    for (std::size_t i = 1; i < relational::replicas_max; ++i)
        many += ",postgres://r/x";
    sources_.flags["relational_replicas"] = many;
    EXPECT_EQ(load().relational_replicas.size(), relational::replicas_max);
    sources_.flags["relational_replicas"] = many + ",postgres://r/x";
    EXPECT_NE(refusal().find("at most 8 addresses"), std::string::npos) << refusal();
    sources_.flags["relational_replicas"] = "postgres://u:secret@a/x,mysql://b/x";
    EXPECT_NE(refusal().find("each postgres://"), std::string::npos) << refusal();
    EXPECT_EQ(refusal().find("secret"), std::string::npos) << refusal();
    sources_.flags = {{"relational_replicas", "postgres://a/x"}};
    EXPECT_NE(refusal().find("empty where `relational` is no postgres://"), std::string::npos) << refusal();
}

TEST_F(SettingsTest, StripeNeedsItsSecretsAndConfigHidesThem) {
    sources_.flags = {{"payments", "stripe"}, {"stripe_secret_key", "sk_test_1"}};
    EXPECT_NE(refusal().find("setting `stripe_webhook_secret`"), std::string::npos) << refusal();
    sources_.flags["stripe_webhook_secret"] = "whsec_2";
    EXPECT_EQ(load().payments, Payments::stripe);
    EXPECT_EQ(load().stripe_secret_key, "sk_test_1");
    EXPECT_EQ(load().stripe_webhook_secret, "whsec_2");
    EXPECT_NE(describe(load()).find("stripe_secret_key = '***'"), std::string::npos) << describe(load());
    EXPECT_NE(describe(load()).find("stripe_webhook_secret = '***'"), std::string::npos) << describe(load());
    sources_.flags["stripe_secret_key"] = "sk_test 1";
    EXPECT_EQ(refusal().find("sk_test"), std::string::npos) << refusal();
}

TEST_F(SettingsTest, MoneyHasDefaultsAndLimits) {
    EXPECT_EQ(load().payments, Payments::off);
    EXPECT_EQ(load().top_up_min.minor(), 100);
    EXPECT_EQ(load().top_up_max.minor(), 50'000);
    ASSERT_EQ(load().currencies.size(), 1U);
    EXPECT_EQ(load().currencies.front().currency, "USD");
    sources_.flags = {{"top_up_min", "0.01"}, {"top_up_max", "100000.00"}, {"currencies", "JPY=151.3, EUR"}};
    EXPECT_EQ(load().top_up_max.minor(), 10'000'000);
    ASSERT_EQ(load().currencies.size(), 3U);
    EXPECT_EQ(load().currencies[1].fixed_rate, 1'513'000);
    EXPECT_FALSE(load().currencies[2].fixed_rate);
}

TEST_F(SettingsTest, ConfigHidesPasswordsOfEveryForm) {
    const struct {
        const char* url;
        const char* shown;
    } cases[] = {
        {"s3://id:a%2Fb@bucket/x?endpoint=http://h:9000", "s3://id:***@bucket/x?endpoint=http://h:9000"},
        {"s3://id:a/b+c@bucket/x?endpoint=http://h:9000", "s3://id:***@bucket/x?endpoint=http://h:9000"},
        {"s3://id:a@b/c@bucket", "s3://id:***@bucket"},
        {"s3://id:@bucket", "s3://id:***@bucket"},
        {"s3://bucket/x?endpoint=http://h:9000", "s3://bucket/x?endpoint=http://h:9000"},
        {"postgres://db/x?user=u&password=se%63ret&sslmode=require",
         "postgres://db/x?user=u&password=***&sslmode=require"},
        {"postgres://db/x?password=a?b=c", "postgres://db/x?password=***"},
        {"postgres://db/x?PassWord=a@b&x=1", "postgres://db/x?PassWord=***&x=1"},
        {"postgres://db/x?p%61ssword=a", "postgres://db/x?p%61ssword=***"},
        {"postgres://db/x?sslpassword=", "postgres://db/x?sslpassword=***"},
        {"postgres://db/x?password", "postgres://db/x?password"},
        {"postgres://u:a@db:5432/x?password=b", "postgres://u:***@db:5432/x?password=***"},
        {"postgres://u:a?password=b@db/x", "postgres://u:***"},
        {"postgres://db:5432/x?password=a@b", "postgres://db:***"},
        {"mongodb://u:a@h/x?tls=true&tlsCertificateKeyFilePassword=b",
         "mongodb://u:***@h/x?tls=true&tlsCertificateKeyFilePassword=***"},
    };
    for (const auto& each : cases) {
        sources_.flags["blob"] = each.url;
        EXPECT_NE(describe(load()).find("blob = '" + std::string(each.shown) + "'"), std::string::npos)
            << each.url << "\n"
            << describe(load());
    }
}

}  // namespace
}  // namespace spaktok::app
