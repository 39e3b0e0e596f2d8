#include "app/page.h"

#include <cstddef>
#include <span>

// Written by page.cmake: one entry a file of web/build.
struct EmbeddedFile {
    const char* path;
    const char* begin;
    const char* end;
};
extern "C" const EmbeddedFile spaktok_page_files[];
extern "C" const EmbeddedFile spaktok_page_files_end[];

namespace spaktok::app {

std::unique_ptr<http::StaticFiles> open_page(const std::string& directory) {
    if (!directory.empty())
        return std::make_unique<http::StaticFiles>(http::StaticFiles::Options{.directory = directory});
    const std::span files(spaktok_page_files, spaktok_page_files_end);
    if (files.empty()) return nullptr;
    http::StaticFiles::Contents contents;
    for (const auto& file : files)
        contents.emplace(file.path, std::string(file.begin, file.end));
    return std::make_unique<http::StaticFiles>(std::move(contents));
}

}  // namespace spaktok::app
