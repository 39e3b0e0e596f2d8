#include <iostream>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "app/commands/commands.h"
#include "app/data_directory.h"
#include "base/clock.h"
#include "engines/relational/migrations.h"

namespace spaktok::app {

namespace {

void print_migrations(std::string_view title, const std::vector<int>& numbers) {
    if (numbers.empty()) return;
    std::cout << title << '\n';
    for (const int number : numbers) {
        for (const auto& migration : relational::all_migrations()) {
            if (migration.number == number) std::cout << "  " << number << ' ' << migration.name << '\n';
        }
    }
}

}  // namespace

int migrate(const Settings& settings, MigrateOptions options) {
    std::optional<DataDirectory> data;
    if (has_embedded_engine(settings)) data.emplace(settings.data);
    const auto database = relational::open(settings.relational, {});
    const auto wait = [](boost::asio::awaitable<relational::MigrationPlan> work) {
        boost::asio::io_context context(1);
        auto result = boost::asio::co_spawn(context, std::move(work), boost::asio::use_future);
        context.run();
        return result.get();
    };
    // What migrate returns is how it is afterwards, with nothing pending.
    const auto before = wait(relational::plan_migrations(*database));
    if (!options.plan)
        wait(relational::migrate(*database, SystemClock().now(), settings.relational_partitions));
    print_migrations(options.plan ? "Applied:" : "Applied before:", before.applied);
    print_migrations(options.plan ? "To be applied:" : "Applied now:", before.pending);
    if (before.pending.empty()) std::cout << "The schema is up to date.\n";
    return 0;
}

}  // namespace spaktok::app
