#include "engines/blob/s3/s3_store.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include "base/log.h"
#include "base/park.h"
#include "engines/blob/limits.h"
#include "engines/blob/s3/answers.h"

namespace spaktok::blob::s3 {

namespace asio = boost::asio;

namespace {

constexpr std::size_t list_bytes_max = 2 * 1024 * 1024;  // a thousand uploads with long names

std::string header(const Answer& answer, const std::string& name) {
    const auto found = answer.headers.find(name);
    return found == answer.headers.end() ? "" : found->second;
}

// What nobody asked of this store: a wrong key or bucket, a right that is missing, a clock that is wrong.
Error refused(const Request& request, const Answer& answer) {
    const auto refusal = read_refusal(answer.body);
    return unavailable(fmt::format("{} {}: status {} {} {}", request.method, request.path, answer.status,
                                   refusal.code, refusal.message));
}

std::uint64_t read_number(std::string_view text, const Answer& answer) {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stop != text.data() + text.size())
        throw unavailable(fmt::format("status {} with a size \"{}\"", answer.status, text));
    return number;
}

std::string etag_of(const Answer& answer) {
    auto etag = unquoted_etag(header(answer, "etag"));
    if (etag.empty()) throw unavailable("an answer without an ETag");
    return etag;
}

// Content-Range (RFC 9110, section 14.4) says how large the whole is.
std::uint64_t size_of(const Answer& answer) {
    const auto range = header(answer, "content-range");
    if (range.empty()) return read_number(header(answer, "content-length"), answer);
    return read_number(std::string_view(range).substr(range.rfind('/') + 1), answer);
}

Metadata metadata_of(const Answer& answer) {
    const auto modified = curl_getdate(header(answer, "last-modified").c_str(), nullptr);
    return {.size_bytes = size_of(answer),
            .content_type = header(answer, "content-type"),
            .etag = etag_of(answer),
            .modified_at = Timestamp{std::chrono::seconds{std::max<std::int64_t>(modified, 0)}}};
}

[[noreturn]] void refuse_range() {
    throw Error(ErrorCode::range_not_satisfiable, "The range begins past the end.");
}

std::string range_text(Range range) {
    const std::uint64_t last = range.offset + (range.length - 1);
    return last < range.offset || range.length == UINT64_MAX ? fmt::format("bytes={}-", range.offset)
                                                             : fmt::format("bytes={}-{}", range.offset, last);
}

}  // namespace

// A put in parts while it is under way; lives in the frame of put_in_parts.
struct S3Store::Upload {
    const std::string& path;
    const std::string& bytes;
    std::string id;
    std::vector<std::string> etags;  // one a part
    std::size_t next = 0;
    std::exception_ptr failure;
};

S3Store::S3Store(Address address, Options options)
    : options_(options), client_(std::move(address), options.client) {}

asio::awaitable<std::string> S3Store::put(std::string key, std::string bytes, std::string content_type) {
    check_key(key);
    check_content_type(content_type);
    if (bytes.size() > options_.blob_bytes_max) {
        throw Error(ErrorCode::payload_too_large, "This file is too large.",
                    {.detail = std::to_string(bytes.size()) + " bytes"});
    }
    const auto path = client_.address().path_of(key);
    if (bytes.size() > options_.part_bytes) co_return co_await put_in_parts(path, bytes, content_type);
    const Request request{.operation = "put",
                          .method = "PUT",
                          .path = path,
                          .headers = {{"content-type", content_type}},
                          .body = bytes};
    const auto answer = co_await client_.send(request);
    if (answer.status != 200) throw refused(request, answer);
    co_return etag_of(answer);
}

asio::awaitable<std::optional<Blob>> S3Store::get(std::string key, Range range) {
    check_key(key);
    // HTTP has no range of nothing, and some servers no numbers beyond 63 bits.
    if (range.length == 0 || range.offset > INT64_MAX) co_return co_await get_nothing(key, range);
    Request request{.operation = "get",
                    .method = "GET",
                    .path = client_.address().path_of(key),
                    .answer_bytes_max = options_.blob_bytes_max};
    const bool is_whole = range.offset == 0 && range.length == UINT64_MAX;
    if (!is_whole) request.headers["range"] = range_text(range);
    auto answer = co_await client_.send(request);
    if (answer.status == 404 && read_refusal(answer.body).code == "NoSuchKey") co_return std::nullopt;
    // A range of an empty blob is one of nothing.
    if (answer.status == 416) co_return co_await get_nothing(key, range);
    if (answer.status != (is_whole ? 200 : 206)) throw refused(request, answer);
    auto metadata = metadata_of(answer);
    co_return Blob{.metadata = std::move(metadata), .bytes = std::move(answer.body), .offset = range.offset};
}

asio::awaitable<std::optional<Blob>> S3Store::get_nothing(const std::string& key, Range range) {
    auto metadata = co_await head(key);
    if (!metadata) co_return std::nullopt;
    if (range.offset >= metadata->size_bytes && !(range.offset == 0 && metadata->size_bytes == 0))
        refuse_range();
    co_return Blob{.metadata = *std::move(metadata), .bytes = {}, .offset = range.offset};
}

asio::awaitable<std::optional<Metadata>> S3Store::stat(std::string key) {
    check_key(key);
    co_return co_await head(key);
}

asio::awaitable<std::optional<Metadata>> S3Store::head(const std::string& key) {
    const Request request{.operation = "stat", .method = "HEAD", .path = client_.address().path_of(key)};
    const auto answer = co_await client_.send(request);
    if (answer.status == 404) co_return std::nullopt;
    if (answer.status != 200) throw refused(request, answer);
    co_return metadata_of(answer);
}

asio::awaitable<bool> S3Store::remove(std::string key) {
    check_key(key);
    // S3 says the same whether there was one. Of two who remove a blob at once, both may be told that there
    // was.
    if (!co_await head(key)) co_return false;
    const Request request{.operation = "remove", .method = "DELETE", .path = client_.address().path_of(key)};
    const auto answer = co_await client_.send(request);
    if (answer.status != 204 && answer.status != 200) throw refused(request, answer);
    co_return true;
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
asio::awaitable<std::vector<std::string>> S3Store::list(std::string after, std::size_t limit) {
    check_list(after, limit);
    const auto& address = client_.address();
    std::vector<std::string> keys;
    std::string last = after.empty() ? "" : address.prefix + after;
    for (bool is_truncated = true; is_truncated && keys.size() < limit;) {
        Request request{.operation = "list",
                        .method = "GET",
                        .path = address.bucket_path(),
                        .query = {{"list-type", "2"},
                                  {"max-keys", std::to_string(limit - keys.size())},
                                  {"prefix", address.prefix}},
                        .answer_bytes_max = list_bytes_max};
        if (!last.empty()) request.query["start-after"] = last;
        const auto answer = co_await client_.send(request);
        const auto listing = read_listing(answer.body);
        if (answer.status != 200 || !listing) throw refused(request, answer);
        for (const auto& path : listing->paths) {
            auto key = path.substr(std::min(address.prefix.size(), path.size()));
            if (is_key(key)) keys.push_back(std::move(key));  // else it is somebody else's object
        }
        is_truncated = listing->is_truncated && !listing->paths.empty();
        if (is_truncated) last = listing->paths.back();
    }
    co_return keys;
}

asio::awaitable<void> S3Store::check() {
    const Request request{.operation = "check", .method = "HEAD", .path = client_.address().bucket_path()};
    const auto answer = co_await client_.send(request);
    if (answer.status != 200) throw refused(request, answer);
}

std::optional<std::string> S3Store::presigned_get(const std::string& key, std::chrono::seconds expires) {
    check_key(key);
    check_expiry(expires);
    const auto& address = client_.address();
    const auto path = address.path_of(key);
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto query =
        presigned_query(path, address.host, expires,
                        {.credentials = address.credentials, .region = address.region, .at = now});
    return address.scheme + "://" + address.host + escape(path, true) + "?" + query;
}

// ---- Parts (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html)

asio::awaitable<std::string> S3Store::put_in_parts(const std::string& path, const std::string& bytes,
                                                   const std::string& content_type) {
    if (!is_swept_.exchange(true)) co_await end_abandoned();
    const Request request{.operation = "begin_parts",
                          .method = "POST",
                          .path = path,
                          .query = {{"uploads", ""}},
                          .headers = {{"content-type", content_type}}};
    const auto answer = co_await client_.send(request);
    const auto id = read_upload_id(answer.body);
    if (answer.status != 200 || !id) throw refused(request, answer);
    Upload upload{.path = path,
                  .bytes = bytes,
                  .id = *id,
                  .etags = std::vector<std::string>((bytes.size() - 1) / options_.part_bytes + 1)};
    std::string etag;
    try {
        co_await put_parts(upload);
        etag = co_await complete(upload);
    } catch (...) {
        upload.failure = std::current_exception();
    }
    if (!upload.failure) co_return etag;
    co_await abort(path, upload.id);
    std::rethrow_exception(upload.failure);
}

// As many coroutines as parts go at once, each of which takes the next part until there is none.
asio::awaitable<void> S3Store::put_parts(Upload& upload) {
    const auto executor = co_await asio::this_coro::executor;
    const auto workers = std::min(options_.parts_at_once, upload.etags.size());
    auto left = workers;
    co_await park([&](Resume resume) {
        for (std::size_t worker = 0; worker < workers; ++worker) {
            asio::co_spawn(
                executor,
                [](S3Store& self, Upload& shared) -> asio::awaitable<void> {
                    while (shared.next < shared.etags.size() && !shared.failure)
                        co_await self.put_part(shared, shared.next++);
                }(*this, upload),
                [&upload, &left, resume](std::exception_ptr failure) {
                    if (failure && !upload.failure) upload.failure = failure;
                    if (--left == 0) resume();
                });
        }
    });
    if (upload.failure) std::rethrow_exception(upload.failure);
}

asio::awaitable<void> S3Store::put_part(Upload& upload, std::size_t index) {
    const Request request{
        .operation = "put_part",
        .method = "PUT",
        .path = upload.path,
        .query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", upload.id}},
        .body = std::string_view(upload.bytes).substr(index * options_.part_bytes, options_.part_bytes)};
    const auto answer = co_await client_.send(request);
    if (answer.status != 200) throw refused(request, answer);
    upload.etags[index] = header(answer, "etag");
}

asio::awaitable<std::string> S3Store::complete(const Upload& upload) {
    const auto parts = write_parts(upload.etags);
    const Request request{.operation = "complete_parts",
                          .method = "POST",
                          .path = upload.path,
                          .query = {{"uploadId", upload.id}},
                          .headers = {{"content-type", "application/xml"}},
                          .body = parts};
    const auto answer = co_await client_.send(request);
    // A server that takes long sends its status first, and may find only then that it cannot.
    auto etag = read_etag(answer.body);
    if (answer.status != 200 || !etag) throw refused(request, answer);
    co_return *std::move(etag);
}

// What stays behind costs only its bytes, until end_abandoned().
asio::awaitable<void> S3Store::abort(const std::string& path, const std::string& id) {
    try {
        co_await client_.send(
            {.operation = "abort_parts", .method = "DELETE", .path = path, .query = {{"uploadId", id}}});
    } catch (const Error& error) {
        log::warning("the parts of a file stay behind", {{"path", path}, {"error", error.detail()}});
    }
}

asio::awaitable<void> S3Store::end_abandoned() {
    const auto& address = client_.address();
    try {
        const auto answer = co_await client_.send({.operation = "list_parts",
                                                   .method = "GET",
                                                   .path = address.bucket_path(),
                                                   .query = {{"prefix", address.prefix}, {"uploads", ""}},
                                                   .answer_bytes_max = list_bytes_max});
        const auto oldest = std::chrono::system_clock::now() - options_.abandoned_after;
        for (const auto& upload : read_uploads(answer.body)) {
            if (upload.begun_at < oldest) co_await abort(address.root + "/" + upload.path, upload.id);
        }
    } catch (const Error& error) {
        log::warning("unfinished uploads cannot be listed", {{"error", error.detail()}});
    }
}

}  // namespace spaktok::blob::s3
