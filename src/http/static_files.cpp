#include "http/static_files.h"

#include <array>
#include <fstream>
#include <iterator>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/hex.h"
#include "http/syntax.h"

namespace spaktok::http {

namespace {

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

Digest sha256(std::string_view bytes) {
    Digest digest{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return digest;
}

std::string base64(const Digest& digest) {
    std::string text(4 * ((digest.size() + 2) / 3) + 1, '\0');  // EVP_EncodeBlock ends with a zero
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), digest.data(),
                    static_cast<int>(digest.size()));
    text.pop_back();
    return text;
}

std::string etag_of(std::string_view bytes) {
    const auto digest = sha256(bytes);
    return "\"" + hex::encode(std::span(digest).first(16)) + "\"";
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) throw Error(ErrorCode::invalid_argument, "Cannot read " + path.string() + ".");
    return bytes;
}

std::string_view extension_of(std::string_view path) {
    const auto name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    return dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
}

// The text of each <script> without src; what a browser would run.
std::string inline_script_hashes(std::string_view html) {
    std::string sources;
    for (auto begin = html.find("<script"); begin != std::string_view::npos;
         begin = html.find("<script", begin + 1)) {
        const auto tag_end = html.find('>', begin);
        if (tag_end == std::string_view::npos) break;
        const auto end = html.find("</script", tag_end);
        if (end == std::string_view::npos) break;
        const auto text = html.substr(tag_end + 1, end - tag_end - 1);
        if (html.substr(begin, tag_end - begin).find(" src") == std::string_view::npos && !text.empty()) {
            sources += " 'sha256-" + base64(sha256(text)) + "'";
        }
    }
    return sources;
}

const std::unordered_map<std::string_view, std::string_view>& known_types() {
    static const std::unordered_map<std::string_view, std::string_view> types{
        {"html", "text/html; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"json", "application/json"},
        {"map", "application/json"},
        {"webmanifest", "application/manifest+json"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"xml", "application/xml"},
        {"yaml", "application/yaml"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"avif", "image/avif"},
        {"ico", "image/x-icon"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"ttf", "font/ttf"},
        {"wasm", "application/wasm"},
        {"mp4", "video/mp4"},
        {"webm", "video/webm"},
        {"mp3", "audio/mpeg"},
        {"pdf", "application/pdf"},
    };
    return types;
}

// A path that names an asset, not a page: by its ending, since a page's last word may be a user's name with a
// dot in it.
bool looks_like_asset(std::string_view path) {
    return path.starts_with("/_app/") || known_types().contains(extension_of(path));
}

}  // namespace

std::string security_policy_of(std::string_view html, std::string_view media_origin) {
    const auto media = media_origin.empty() ? std::string{} : " " + std::string(media_origin);
    // blob: for what the player makes (media source, its worker) and for previews of files not yet uploaded;
    // style attributes are set by transitions and virtual lists, and cannot run anything.
    return "default-src 'self'; script-src 'self'" + inline_script_hashes(html) +
           "; style-src 'self' 'unsafe-inline'" + "; img-src 'self' data: blob:" + media +
           "; media-src 'self' blob:" + media + "; connect-src 'self'" + media +
           "; worker-src 'self' blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
           "form-action 'self'" +
           "; frame-ancestors 'none'";
}

std::string_view content_type_of(std::string_view path) {
    const auto found = known_types().find(extension_of(path));
    return found == known_types().end() ? "application/octet-stream" : found->second;
}

StaticFiles::StaticFiles(Options options) {
    try {
        load(read_directory(options), options.media_origin);
    } catch (const std::filesystem::filesystem_error& error) {
        throw Error(ErrorCode::invalid_argument,
                    "Cannot read the page's files in " + options.directory.string() + ".",
                    {.field = "page", .detail = error.what()});
    }
    if (page_ == nullptr) {
        throw Error(ErrorCode::invalid_argument, "There is no page in " + options.directory.string() + ".",
                    {.field = "page"});
    }
}

StaticFiles::StaticFiles(Contents contents, std::string media_origin) {
    load(contents, media_origin);
    if (page_ == nullptr)
        throw Error(ErrorCode::invalid_argument, "There is no page among the files.", {.field = "page"});
}

StaticFiles::Contents StaticFiles::read_directory(const Options& options) {
    std::size_t total = 0;
    Contents contents;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.directory)) {
        if (!entry.is_regular_file()) continue;
        total += entry.file_size();
        if (total > options.bytes_max) {
            throw Error(ErrorCode::invalid_argument,
                        options.directory.string() + " has more than " + std::to_string(options.bytes_max) +
                            " bytes.",
                        {.field = "page"});
        }
        contents.emplace("/" + entry.path().lexically_relative(options.directory).generic_string(),
                         read_file(entry.path()));
    }
    return contents;
}

void StaticFiles::load(const Contents& contents, std::string_view media_origin) {
    const auto variant = [&](const std::string& path) {
        Variant result;
        const auto found = contents.find(path);
        if (found == contents.end()) return result;
        result.etag = etag_of(found->second);
        result.bytes = std::make_shared<const std::string>(found->second);
        return result;
    };
    for (const auto& [path, bytes] : contents) {
        const bool is_variant = (path.ends_with(".br") || path.ends_with(".gz")) &&
                                contents.contains(path.substr(0, path.size() - 3));
        if (is_variant) continue;
        File file{variant(path),
                  variant(path + ".br"),
                  variant(path + ".gz"),
                  std::string(content_type_of(path)),
                  {},
                  path.starts_with("/_app/immutable/")};
        if (path.ends_with(".html")) file.security_policy = security_policy_of(bytes, media_origin);
        files_.emplace(path, std::move(file));
    }
    for (const auto* name : {"/200.html", "/index.html"}) {
        if (page_ == nullptr) page_ = find(name);
    }
}

const StaticFiles::File* StaticFiles::find(const std::string& path) const {
    const auto found = files_.find(path);
    return found == files_.end() ? nullptr : &found->second;
}

// What a path without a file means: a prerendered page, or a page of the application; never an API call,
// never a missing asset (a script that is answered with HTML breaks the page in a way that nobody
// understands).
const StaticFiles::File* StaticFiles::page_for(const Request& request) const {
    const auto& path = request.path;
    const auto directory = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
    for (const auto* suffix : {".html", "/index.html"}) {
        if (const auto* file = find(directory + suffix)) return file;
    }
    for (const std::string_view reserved : {"/api", "/live", "/media"}) {
        if (path == reserved || path.starts_with(std::string(reserved) + "/")) return nullptr;
    }
    if (looks_like_asset(path)) return nullptr;
    const auto accept = request.headers.get("Accept");
    return accept && list_has(*accept, "text/html") ? page_ : nullptr;
}

Response StaticFiles::answer(const Request& request) const {
    const auto* file = find(request.path);
    if (file == nullptr) file = page_for(request);
    if (file == nullptr) throw Error(ErrorCode::not_found, "There is nothing at this path.");
    return answer_with(*file, request);
}

Response StaticFiles::answer_with(const File& file, const Request& request) const {
    const auto accepted = request.headers.get("Accept-Encoding").value_or("");
    const Variant* variant = &file.plain;
    std::string_view encoding;
    if (file.brotli.bytes && accepted_weight(accepted, "br") > 0) {
        variant = &file.brotli;
        encoding = "br";
    } else if (file.gzip.bytes && accepted_weight(accepted, "gzip") > 0) {
        variant = &file.gzip;
        encoding = "gzip";
    }
    Response response;
    response.headers.add("Content-Type", file.content_type);
    response.headers.add("Cache-Control",
                         file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
    response.headers.add("ETag", variant->etag);
    if (file.brotli.bytes || file.gzip.bytes) response.headers.add("Vary", "Accept-Encoding");
    if (!encoding.empty()) response.headers.add("Content-Encoding", encoding);
    if (!file.security_policy.empty()) response.headers.add("Content-Security-Policy", file.security_policy);
    if (!variant->bytes->empty()) response.shared_body.push_back({variant->bytes, 0, variant->bytes->size()});
    return response;
}

boost::asio::awaitable<Response> StaticFiles::respond(const Request& request) const {
    co_return answer(request);
}

Handler StaticFiles::handler() const {
    return [this](Request& request) { return respond(request); };
}

}  // namespace spaktok::http
