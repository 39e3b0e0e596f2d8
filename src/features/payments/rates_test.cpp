#include "features/payments/rates.h"

#include <atomic>

#include <gmock/gmock.h>

#include "features/testing/world.h"
#include "http/test_server.h"

namespace spaktok::payments {
namespace {

using features_testing::failure_of;
using features_testing::run;
using features_testing::World;
using testing::ElementsAre;
using testing::Pair;

std::string feed(const std::string& cubes, const std::string& day = "2026-01-30") {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" "
           "xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">\n"
           "\t<gesmes:subject>Reference rates</gesmes:subject>\n"
           "\t<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>\n"
           "\t<Cube>\n\t\t<Cube time='" +
           day + "'>\n" + cubes + "\t\t</Cube>\n\t</Cube>\n</gesmes:Envelope>";
}
std::string cube(const std::string& currency, const std::string& rate) {
    return "\t\t\t<Cube currency='" + currency + "' rate='" + rate + "'/>\n";
}
const std::string usual = cube("USD", "1.0842") + cube("JPY", "164.03") + cube("GBP", "0.83520");

TEST(Feed, IsMadeIntoRatesForADollar) {
    const auto daily = parse_feed(feed(usual));
    EXPECT_EQ(daily.day, "2026-01-30");
    EXPECT_THAT(daily.rates, ElementsAre(Pair("EUR", 9'223),        // 0.92234
                                         Pair("GBP", 7'703),        // 0.77034
                                         Pair("JPY", 1'512'913)));  // 151.29128
}

TEST(Feed, LeavesOutWhatIsNoRateOrNoCurrencyThatIsTaken) {
    const auto daily = parse_feed(feed(usual + cube("KWD", "0.33") + cube("xx", "2") + cube("CHF", "-1") +
                                       cube("CAD", "") + cube("SEK", "11.5")));
    std::vector<std::string> found;
    for (const auto& [currency, rate] : daily.rates)
        found.push_back(currency);
    EXPECT_THAT(found, ElementsAre("EUR", "GBP", "JPY", "SEK"));
}

TEST(Feed, IsRefusedWhereItIsAnythingElse) {
    std::string many = cube("USD", "1.1");
    for (char a = 'A'; a <= 'Z'; ++a)
        for (char b = 'A'; b <= 'Z'; ++b)
            many += "<Cube currency='Q" + std::string{a, b} + "' rate='2'/>";
    for (const auto& text :
         {std::string(), std::string("<html></html>"), std::string("{\"USD\": 1}"), feed(cube("JPY", "164")),
          feed(usual, "yesterday"), feed(usual, "2026-02-30"), feed(usual).substr(0, 300), feed(many)})
        EXPECT_EQ(failure_of([&] { parse_feed(text); }), "unavailable") << text.substr(0, 200);
    auto largest = feed(usual);
    largest.append(feed_bytes_max - largest.size(), ' ');
    EXPECT_EQ(parse_feed(largest).rates.size(), 3U);
    EXPECT_EQ(failure_of([&] { parse_feed(largest + " "); }), "unavailable");
}

TEST(Offer, IsAListOfCurrenciesWithOrWithoutARate) {
    const auto offer = parse_offer(" EUR=0.9221 ,JPY");
    ASSERT_EQ(offer.size(), 3U);
    EXPECT_EQ(offer[0].currency, "USD");
    EXPECT_EQ(offer[0].fixed_rate, 10'000);
    EXPECT_EQ(offer[1].fixed_rate, 9'221);
    EXPECT_EQ(offer[2].fixed_rate, std::nullopt);
    EXPECT_EQ(parse_offer("EUR=1,USD")[1].currency, "USD") << "in the operator's order";
    for (const auto* text : {"EUR=", "EUR=0", "EUR=x", "USD=1", "EUR,EUR", "KWD", "euro", ",EUR", "EUR,,JPY"})
        EXPECT_EQ(failure_of([&] { parse_offer(text); }), "invalid_argument") << text;
}

class RatesTest : public testing::Test {
  protected:
    RatesTest() {
        server_.answer(http::Method::get, "/daily.xml", [this](http::Request&) {
            ++asked_;
            return http::Response::text(answer_, "text/xml", status_);
        });
        server_.start();
        rates_.emplace(
            Rates::Options{.database = *world_.database,
                           .clock = world_.clock,
                           .web = web_,
                           .offer = parse_offer("USD,JPY,CHF=0.88,EUR"),
                           .feed_url = "http://127.0.0.1:" + std::to_string(server_.port()) + "/daily.xml"});
    }
    std::vector<std::string> offered() {
        std::vector<std::string> list;
        for (const auto& choice : run(rates_->choices()))
            list.push_back(choice.currency + " " + std::to_string(choice.exchange_rate));
        return list;
    }

    World world_;
    http::testing::TestServer server_;
    std::atomic<int> asked_{0};
    std::string answer_ = feed(usual);
    unsigned status_ = 200;
    WebClient web_;
    std::optional<Rates> rates_;
};

TEST_F(RatesTest, OfTheFeedAreOnOfferOnceItWasRead) {
    EXPECT_THAT(offered(), ElementsAre("USD 10000", "CHF 8800"));
    run(rates_->update());
    EXPECT_THAT(offered(), ElementsAre("USD 10000", "JPY 1512913", "CHF 8800", "EUR 9223"));
    run(rates_->update());
    EXPECT_EQ(asked_, 1) << "once a day";
    answer_ = feed(cube("USD", "1.1") + cube("JPY", "165"), "2026-01-31");
    world_.clock.advance(std::chrono::hours(24));
    run(rates_->update());
    EXPECT_THAT(offered(), ElementsAre("USD 10000", "JPY 1500000", "CHF 8800", "EUR 9091"));
}

TEST_F(RatesTest, OfTheFeedAreLeftOutOnceTheyAreOld) {
    run(rates_->update());
    status_ = 500;
    world_.clock.advance(std::chrono::hours(24 * 6));
    EXPECT_EQ(failure_of(rates_->update()), "unavailable");
    EXPECT_EQ(offered().size(), 4U);
    run(rates_->update());
    EXPECT_EQ(asked_, 2) << "not before an hour has passed";
    world_.clock.advance(std::chrono::hours(24));
    EXPECT_THAT(offered(), ElementsAre("USD 10000", "CHF 8800"));
}

}  // namespace
}  // namespace spaktok::payments
