#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "app/commands/commands.h"
#include "app/server.h"
#include "base/error.h"

namespace spaktok::app {

namespace {

// The routes belong to a whole server, and a server to a data directory: one that is gone afterwards, so that
// asking changes nothing and works beside a server that runs.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "spaktok-routes-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr)
            throw Error(ErrorCode::unavailable, "cannot make the temporary directory " + pattern);
        path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace

int print_routes(Settings settings) {
    const TemporaryDirectory directory;
    settings.data = directory.path();
    settings.relational = "sqlite:" + (directory.path() / "spaktok.db").string();
    settings.document = "sqlite:" + (directory.path() / "documents.db").string();
    settings.realtime = "local:" + (directory.path() / "realtime.db").string();
    settings.blob = "file:" + (directory.path() / "media").string();
    settings.rtmp.clear();
    settings.log.level = log::Level::warning;
    log::configure(settings.log);
    Server server(std::move(settings));
    for (const auto& line : server.describe_routes())
        std::cout << line << '\n';
    return 0;
}

}  // namespace spaktok::app
