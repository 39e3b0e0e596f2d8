#include "engines/blob/directory/directory_store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <span>
#include <utility>

#include <unistd.h>

#include "base/error.h"
#include "engines/blob/directory/file.h"
#include "engines/blob/directory/header.h"
#include "engines/blob/limits.h"

namespace spaktok::blob::directory {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

// A file system refuses names beyond 255 bytes, and a key may be one segment of 255: longer segments are
// folded into folders whose names end in '~', which no key's segment does.
constexpr std::size_t name_characters_max = 200;
// Another thread may remove an empty folder between our making it and our renaming into it.
constexpr int rename_attempts_max = 10;
constexpr std::string_view blob_ending = "~blob";
// Other processes may be writing to the same directory: only what is surely abandoned is removed.
constexpr std::chrono::hours leftover_age{1};

struct OpenBlob {
    File file;
    Metadata metadata;
};

std::optional<OpenBlob> open_blob(const fs::path& path) {
    auto file = File::open_to_read(path);
    if (!file) return std::nullopt;
    const auto status = file->status();
    std::string text(std::min<std::uint64_t>(header_bytes, status.size_bytes), '\0');
    file->read_at(0, text);
    auto header = read_header(text, status.size_bytes);
    if (!header) {
        throw Error(ErrorCode::internal, "This file is damaged.",
                    {.detail = path.string() + ": not a blob, or damaged"});
    }
    return OpenBlob{.file = *std::move(file),
                    .metadata = {.size_bytes = header->size_bytes,
                                 .content_type = std::move(header->content_type),
                                 .etag = std::move(header->etag),
                                 .modified_at = status.modified_at}};
}

Blob read_range(const OpenBlob& open, Range range) {
    const std::uint64_t size = open.metadata.size_bytes;
    // The whole of an empty blob is a range of nothing.
    if (range.offset >= size && !(range.offset == 0 && size == 0)) {
        throw Error(ErrorCode::range_not_satisfiable, "The range begins past the end.");
    }
    Blob blob{.metadata = open.metadata, .bytes = {}, .offset = range.offset};
    blob.bytes.resize(std::min(range.length, size - range.offset));
    open.file.read_at(header_bytes + range.offset, blob.bytes);
    return blob;
}

// Removes the file unless told that it is gone.
class Discard {
  public:
    explicit Discard(fs::path path) : path_(std::move(path)) {}
    ~Discard() {
        if (!kept_) ::unlink(path_.c_str());
    }
    Discard(const Discard&) = delete;
    Discard& operator=(const Discard&) = delete;
    void keep() { kept_ = true; }

  private:
    fs::path path_;
    bool kept_ = false;
};

void rename_into(const fs::path& from, const fs::path& to) {
    for (int attempt = 1;; ++attempt) {
        create_folders(to.parent_path());
        if (std::rename(from.c_str(), to.c_str()) == 0) return;
        if (errno != ENOENT || attempt == rename_attempts_max) fail("rename to", to);
    }
}

// The keys below a folder, in the order of the names of folders and files.
struct Walk {
    std::size_t limit;
    std::vector<std::string> keys{};

    // `key`: what the folder says of its keys. `after`: the way from here to the last key of the page before;
    // empty where everything here comes after it.
    void list(const fs::path& folder, const std::string& key, std::span<const std::string> after) {
        std::vector<std::pair<std::string, bool>> names;
        std::error_code error;
        fs::directory_iterator next(folder, error);
        for (; !error && next != fs::directory_iterator(); next.increment(error))
            names.emplace_back(next->path().filename().string(), next->is_directory());
        // A folder that became empty may be gone by now.
        if (error && error != std::errc::no_such_file_or_directory) {
            errno = error.value();
            fail("list", folder);
        }
        std::ranges::sort(names);
        for (const auto& [name, is_folder] : names) {
            if (!after.empty() && name < after.front()) continue;
            const bool is_on_the_way = !after.empty() && name == after.front();
            if (is_folder) {
                list(folder / name, key + key_of_folder(name),
                     is_on_the_way ? after.subspan(1) : std::span<const std::string>());
            } else if (!is_on_the_way && name.ends_with(blob_ending)) {
                auto whole = key + name.substr(0, name.size() - blob_ending.size());
                if (is_key(whole)) keys.push_back(std::move(whole));  // else it is somebody else's file
            }
            if (keys.size() == limit) return;
        }
    }

    static std::string key_of_folder(const std::string& name) {
        return name.ends_with('~') ? name.substr(0, name.size() - 1) : name + "/";
    }
};

}  // namespace

DirectoryStore::DirectoryStore(Options options)
    : options_(std::move(options)),
      root_(fs::absolute(options_.directory)),
      temporary_(root_ / "temporary~"),
      pool_({.name = "blobs", .threads = options_.threads, .queue_jobs_max = options_.queued_jobs_max}) {
    create_folders(temporary_);
    remove_leftovers();
}

void DirectoryStore::remove_leftovers() {
    const auto old = fs::file_time_type::clock::now() - leftover_age;
    std::error_code error;  // what another process removed meanwhile is no failure
    for (const auto& entry : fs::directory_iterator(temporary_, error)) {
        const auto written_at = entry.last_write_time(error);
        if (!error && written_at < old) fs::remove(entry.path(), error);
    }
}

fs::path DirectoryStore::file_of(const std::string& key) const {
    fs::path path = root_;
    std::string_view rest = key;
    while (!rest.empty()) {
        const auto slash = rest.find('/');
        std::string_view segment = rest.substr(0, slash);
        rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
        for (; segment.size() > name_characters_max; segment.remove_prefix(name_characters_max)) {
            path /= std::string(segment.substr(0, name_characters_max)) + "~";
        }
        path /= std::string(segment) + std::string(rest.empty() ? blob_ending : "");
    }
    return path;
}

fs::path DirectoryStore::new_temporary() {
    // The process id keeps two processes on one directory apart; a crashed one's leftovers may have our
    // names: hence the clock.
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    return temporary_ /
           (std::to_string(::getpid()) + "-" + std::to_string(now) + "-" + std::to_string(next_temporary_++));
}

std::string DirectoryStore::write(const std::string& key, const std::string& bytes,
                                  const std::string& content_type) {
    const Header header{.content_type = content_type, .etag = etag_of(bytes), .size_bytes = bytes.size()};
    const fs::path temporary = new_temporary();
    File file = File::create(temporary);
    Discard discard(temporary);
    file.write(write_header(header));
    file.write(bytes);
    file.sync();
    const fs::path target = file_of(key);
    rename_into(temporary, target);
    discard.keep();
    sync_folder(target.parent_path());
    return header.etag;
}

bool DirectoryStore::erase(const std::string& key) {
    const fs::path path = file_of(key);
    if (::unlink(path.c_str()) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        fail("remove", path);
    }
    sync_folder(path.parent_path());
    // Folders that are empty now; rmdir refuses the others.
    for (fs::path folder = path.parent_path(); folder != root_ && ::rmdir(folder.c_str()) == 0;)
        folder = folder.parent_path();
    return true;
}

asio::awaitable<std::string> DirectoryStore::put(std::string key, std::string bytes,
                                                 std::string content_type) {
    check_key(key);
    check_content_type(content_type);
    if (bytes.size() > options_.blob_bytes_max) {
        throw Error(ErrorCode::payload_too_large, "This file is too large.",
                    {.detail = std::to_string(bytes.size()) + " bytes"});
    }
    co_return co_await pool_.run([this, key = std::move(key), bytes = std::move(bytes),
                                  type = std::move(content_type)] { return write(key, bytes, type); });
}

asio::awaitable<std::optional<Blob>> DirectoryStore::get(std::string key, Range range) {
    check_key(key);
    co_return co_await pool_.run([path = file_of(key), range]() -> std::optional<Blob> {
        const auto open = open_blob(path);
        if (!open) return std::nullopt;
        return read_range(*open, range);
    });
}

asio::awaitable<std::optional<Metadata>> DirectoryStore::stat(std::string key) {
    check_key(key);
    co_return co_await pool_.run([path = file_of(key)]() -> std::optional<Metadata> {
        auto open = open_blob(path);
        if (!open) return std::nullopt;
        return std::move(open->metadata);
    });
}

asio::awaitable<bool> DirectoryStore::remove(std::string key) {
    check_key(key);
    co_return co_await pool_.run([this, key = std::move(key)] { return erase(key); });
}

asio::awaitable<std::vector<std::string>> DirectoryStore::list(std::string after, std::size_t limit) {
    check_list(after, limit);
    std::vector<std::string> way;
    if (!after.empty()) {
        for (const auto& name : file_of(after).lexically_relative(root_))
            way.push_back(name.string());
    }
    co_return co_await pool_.run([root = root_, way = std::move(way), limit] {
        Walk walk{.limit = limit};
        walk.list(root, "", way);
        return std::move(walk.keys);
    });
}

asio::awaitable<void> DirectoryStore::check() {
    co_await pool_.run([this] {
        if (::access(temporary_.c_str(), W_OK | X_OK) != 0) fail("write to", temporary_);
    });
}

std::optional<std::string> DirectoryStore::presigned_get(const std::string& key,
                                                         std::chrono::seconds expires) {
    check_key(key);
    check_expiry(expires);
    return std::nullopt;
}

}  // namespace spaktok::blob::directory
