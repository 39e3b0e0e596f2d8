#include <iostream>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>

#include "app/checker.h"
#include "app/commands/commands.h"
#include "app/data_directory.h"

namespace spaktok::app {

namespace {

void print(const checking::Difference& difference) {
    std::cout << fmt::format("{}: is {}, expected {}{}\n", difference.place, difference.stored,
                             difference.expected, difference.repaired ? " (repaired)" : "");
}

std::string outcome(const checking::Findings& findings, bool repair) {
    const auto repaired = repair ? findings.differences() - findings.unrepairable() : 0;
    if (repaired == findings.differences()) return repaired > 0 ? " and repaired" : "";
    return repair ? fmt::format(", {} repaired", repaired) : "";
}

}  // namespace

int check(const Settings& settings, CheckOptions options) {
    std::optional<DataDirectory> data;
    if (has_embedded_engine(settings)) data.emplace(settings.data);
    checking::Findings findings({.repair = options.repair, .tell = print});
    boost::asio::io_context context(1);
    auto result = boost::asio::co_spawn(
        context,
        options.part == "ledger" ? check_ledger(settings, findings) : check_place(settings, findings),
        boost::asio::use_future);
    context.run();
    result.get();
    std::cout << fmt::format("{} values compared, {} of them wrong{}.\n", findings.compared(),
                             findings.differences(), outcome(findings, options.repair));
    const auto left = options.repair ? findings.unrepairable() : findings.differences();
    const bool is_well = left == 0;
    return is_well ? 0 : 1;
}

}  // namespace spaktok::app
