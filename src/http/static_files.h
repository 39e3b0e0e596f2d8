// The page: the files that Vite built, served from memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include <boost/asio/awaitable.hpp>

#include "http/request.h"

namespace spaktok::http {

// Read once; immutable and thread-safe from then on.
//
// A file `x.br` or `x.gz` beside `x` is what is sent where its encoding is accepted. Names under
// /_app/immutable/ carry a hash of their content and are cached for ever; everything else is asked for again,
// with its ETag. A path that is no file, and looks like a page of the application, gets 200.html (or
// index.html), in which the application's own router takes over.
class StaticFiles {
  public:
    struct Options {
        std::filesystem::path directory;
        std::string media_origin;  // another origin that media come from (a CDN); empty: none
        std::size_t bytes_max =
            256 * 1024 * 1024;  // of all files, so that a wrong directory is noticed at the start
    };
    // Throws Error{invalid_argument} where the directory cannot be read, has no page or is too large.
    explicit StaticFiles(Options options);
    // Files that are in memory already, by path with the leading slash. Throws Error{invalid_argument} where
    // there is no page.
    using Contents = std::unordered_map<std::string, std::string>;
    explicit StaticFiles(Contents contents, std::string media_origin = "");

    // For Router::set_fallback. This object outlives the handler.
    Handler handler() const;
    // Throws Error{not_found}.
    Response answer(const Request& request) const;
    std::size_t files() const { return files_.size(); }

  private:
    struct Variant {
        SharedBytes bytes;
        std::string etag;
    };
    struct File {
        Variant plain;
        Variant brotli;
        Variant gzip;
        std::string content_type;
        std::string security_policy;  // of HTML
        bool immutable = false;
    };

    boost::asio::awaitable<Response> respond(const Request& request) const;
    static Contents read_directory(const Options& options);
    void load(const Contents& contents, std::string_view media_origin);
    const File* find(const std::string& path) const;
    const File* page_for(const Request& request) const;
    Response answer_with(const File& file, const Request& request) const;

    std::unordered_map<std::string, File> files_;  // by path, with the leading slash
    const File* page_ = nullptr;
};

// The Content-Security-Policy of an HTML page: own scripts only, the inline ones by their hash.
std::string security_policy_of(std::string_view html, std::string_view media_origin);
std::string_view content_type_of(std::string_view path);

}  // namespace spaktok::http
