#include <iostream>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "app/commands/commands.h"
#include "app/data_directory.h"
#include "app/moving/mover.h"

namespace spaktok::app {

namespace {

namespace fs = std::filesystem;

std::optional<moving::Way> way(const std::string& from, const std::string& to) {
    if (to.empty()) return std::nullopt;
    return moving::Way{.from = from, .to = to};
}

// Where an embedded engine is: the folder that `data` is, or will be, for a server on it.
std::optional<fs::path> folder_of(const std::string& url) {
    for (const std::string_view scheme : {"sqlite:", "local:", "file:"}) {
        if (!url.starts_with(scheme)) continue;
        const auto file = fs::absolute(url.substr(scheme.size())).lexically_normal();
        return file.has_filename() ? file.parent_path() : file.parent_path().parent_path();
    }
    return std::nullopt;
}

// So that no server uses one of them meanwhile.
class Locks {
  public:
    Locks(const Settings& settings, const MoveWords& words) {
        take(settings.data);
        for (const auto& url : {words.relational, words.document, words.realtime, words.blob}) {
            if (const auto folder = folder_of(url)) take(*folder);
        }
    }

  private:
    void take(const fs::path& folder) {
        if (taken_.insert(fs::weakly_canonical(folder)).second)
            held_.push_back(std::make_unique<DataDirectory>(folder));
    }
    std::set<fs::path> taken_;
    std::vector<std::unique_ptr<DataDirectory>> held_;
};

// One line that changes on a terminal, one line a part elsewhere.
class ProgressLine {
  public:
    void show(const std::string& doing, std::int64_t things) {
        if (!is_terminal_ && doing == doing_) return;
        std::cerr << (is_terminal_ ? "\r\x1b[K" : "") << doing;
        if (is_terminal_) std::cerr << ": " << things << std::flush;
        if (!is_terminal_) std::cerr << '\n';
        doing_ = doing;
    }
    void end() const {
        if (is_terminal_) std::cerr << "\r\x1b[K" << std::flush;
    }

  private:
    const bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::string doing_;
};

}  // namespace

int move_engines(const Settings& settings, const MoveWords& words) {
    const bool is_none =
        words.relational.empty() && words.document.empty() && words.realtime.empty() && words.blob.empty();
    if (is_none) {
        throw Error(ErrorCode::invalid_argument,
                    "Nothing is to be moved: name at least one of --to-relational, --to-document, "
                    "--to-realtime and --to-blob.");
    }
    const Locks locks(settings, words);
    ProgressLine line;
    SystemClock clock;
    SystemRandom random;
    boost::asio::io_context context(1);
    auto result = boost::asio::co_spawn(
        context,
        moving::move_place({.relational = way(settings.relational, words.relational),
                            .document = way(settings.document, words.document),
                            .realtime = way(settings.realtime, words.realtime),
                            .blob = way(settings.blob, words.blob),
                            .partitioning = settings.relational_partitions,
                            .realtime_in_use = settings.realtime,
                            .journal = settings.data / "move.json",
                            .clock = clock,
                            .random = random,
                            .progress = [&line](const std::string& doing,
                                                std::int64_t things) { line.show(doing, things); }}),
        boost::asio::use_future);
    context.run();
    line.end();
    const auto moved = result.get();
    std::cout << fmt::format(
        "Moved and compared: {} rows, {} documents, {} key-values, {} files. Now name the new engines in the "
        "settings.\n",
        moved.rows, moved.documents, moved.key_values, moved.files);
    return 0;
}

}  // namespace spaktok::app
