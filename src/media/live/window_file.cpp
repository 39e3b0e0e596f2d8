#include "media/live/window_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"

namespace spaktok::media {
namespace {

constexpr std::string_view magic = "spaktok window\n";
constexpr std::uint64_t version = 1;
constexpr std::string_view extension = ".window";
constexpr std::string_view unfinished = ".window.new";
constexpr std::size_t checksum_bytes = 8;
constexpr std::uint64_t text_bytes_max = 4096;
constexpr std::uint64_t duration_max_us = 3'600'000'000;

class Writer {
  public:
    void number(std::uint64_t value) {
        for (unsigned i = 0; i < 8; ++i)
            bytes_ += static_cast<char>((value >> (8 * i)) & 0xFFU);
    }
    void number(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
    void text(std::string_view value) {
        number(std::uint64_t{value.size()});
        bytes_ += value;
    }
    void uuid(const Uuid& value) {
        bytes_.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
    }
    std::string& bytes() { return bytes_; }

  private:
    std::string bytes_{magic};
};

// Remembers that it failed; yields zeros and empty texts from then on.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    std::uint64_t number(std::uint64_t max = UINT64_MAX) {
        const auto bytes = take(8);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
        }
        if (value > max) failed_ = true;
        return failed_ ? 0 : value;
    }
    std::int64_t signed_number(std::int64_t max) {
        return static_cast<std::int64_t>(number(static_cast<std::uint64_t>(max)));
    }
    std::string_view text(std::uint64_t max = text_bytes_max) { return take(number(max)); }
    Uuid uuid() {
        std::array<std::uint8_t, 16> bytes{};
        const auto taken = take(bytes.size());
        std::copy(taken.begin(), taken.end(), bytes.begin());
        return Uuid(bytes);
    }
    bool good() const { return !failed_; }
    bool at_end() const { return rest_.empty(); }
    void fail() { failed_ = true; }

  private:
    std::string_view take(std::uint64_t size) {
        if (failed_ || size > rest_.size()) {
            failed_ = true;
            return {};
        }
        const auto taken = rest_.substr(0, static_cast<std::size_t>(size));
        rest_.remove_prefix(taken.size());
        return taken;
    }
    std::string_view rest_;
    bool failed_ = false;
};

constexpr std::int64_t number_max = std::int64_t{1} << 40;
constexpr std::int64_t time_max_us = std::int64_t{1} << 60;

void write_timeline(Writer& writer, std::int64_t number, const hls::Timeline& timeline) {
    writer.number(number);
    writer.text(*timeline.init);
    writer.text(timeline.codecs);
    writer.number(std::int64_t{timeline.width});
    writer.number(std::int64_t{timeline.height});
    writer.number(std::int64_t{timeline.media_start.count()});
    writer.number(to_unix_milliseconds(timeline.wall_start));
    writer.number(timeline.pictures);
    writer.number(std::int64_t{timeline.duration.count()});
}

void read_timeline(Reader& reader, hls::Contents& contents) {
    const auto number = reader.signed_number(number_max);
    hls::Timeline timeline;
    timeline.init = std::make_shared<const std::string>(reader.text(1u << 20));
    timeline.codecs = reader.text(200);
    timeline.width = static_cast<int>(reader.number(16'384));
    timeline.height = static_cast<int>(reader.number(16'384));
    timeline.media_start = std::chrono::microseconds(reader.signed_number(time_max_us));
    timeline.wall_start = from_unix_milliseconds(reader.signed_number(number_max * 8));
    timeline.pictures = reader.signed_number(number_max);
    timeline.duration = std::chrono::microseconds(reader.signed_number(time_max_us));
    contents.bytes += timeline.init->size();
    const bool ascending = contents.timelines.empty() || contents.timelines.rbegin()->first < number;
    if (!ascending) reader.fail();
    contents.timelines[number] = std::move(timeline);
}

void write_segment(Writer& writer, const hls::Segment& segment) {
    writer.number(segment.sequence);
    writer.number(segment.timeline);
    writer.number(std::int64_t{segment.start.count()});
    writer.number(std::uint64_t{segment.parts.size()});
    for (const auto& part : segment.parts) {
        writer.number(std::int64_t{part.duration.count()});
        writer.number(std::uint64_t{part.independent ? 1U : 0U});
        writer.text(part.bytes.text());
    }
}

void read_segment(Reader& reader, hls::Contents& contents) {
    hls::Segment segment;
    segment.sequence = reader.signed_number(number_max);
    segment.timeline = reader.signed_number(number_max);
    segment.start = std::chrono::microseconds(reader.signed_number(time_max_us));
    const auto parts = reader.number(hls::Window::parts_max);
    for (std::uint64_t i = 0; i < parts && reader.good(); ++i) {
        hls::Part part;
        part.duration = std::chrono::microseconds(reader.signed_number(duration_max_us));
        part.independent = reader.number(1) == 1;
        part.bytes = http::BodyPart(std::make_shared<const std::string>(reader.text(UINT64_MAX)));
        if (part.duration.count() == 0 || part.bytes.length == 0) reader.fail();
        segment.duration += part.duration;
        segment.bytes += part.bytes.length;
        segment.parts.push_back(std::move(part));
    }
    const bool follows =
        contents.segments.empty() || (contents.segments.back().sequence + 1 == segment.sequence &&
                                      contents.segments.back().timeline <= segment.timeline);
    if (segment.parts.empty() || !follows || !contents.timelines.contains(segment.timeline)) reader.fail();
    contents.bytes += segment.bytes;
    contents.segments.push_back(std::move(segment));
}

hls::Contents read_contents(Reader& reader) {
    hls::Contents contents;
    contents.target_duration_seconds = static_cast<int>(reader.number(60));
    contents.part_target = std::chrono::microseconds(reader.signed_number(duration_max_us));
    for (auto count = reader.number(100'000); count > 0 && reader.good(); --count)
        read_timeline(reader, contents);
    for (auto count = reader.number(100'000); count > 0 && reader.good(); --count)
        read_segment(reader, contents);
    if (contents.segments.empty() || contents.timelines.empty()) reader.fail();
    if (contents.target_duration_seconds == 0 || contents.part_target.count() == 0) reader.fail();
    if (!reader.good()) return {};
    contents.next_sequence = contents.segments.back().sequence + 1;
    contents.next_timeline = contents.timelines.rbegin()->first + 1;
    return contents;
}

std::uint64_t checksum(std::string_view bytes) {
    return ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
}

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool write_file(const std::string& path, std::string_view bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    const bool written = write_all(file, bytes) && ::fsync(file) == 0;
    return ::close(file) == 0 && written;
}

std::optional<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error || size > bytes_max) return std::nullopt;
    std::string bytes(static_cast<std::size_t>(size), '\0');
    std::ifstream file(path, std::ios::binary);
    if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return std::nullopt;
    return bytes;
}

}  // namespace

std::string encode(const Broadcast::Kept& kept) {
    Writer writer;
    writer.number(version);
    writer.uuid(kept.publication.stream_id.value);
    writer.uuid(kept.publication.user_id.value);
    writer.number(to_unix_milliseconds(kept.started_at));
    writer.text(kept.thumbnails.newest);
    writer.text(kept.thumbnails.older);
    const auto& contents = kept.contents;
    writer.number(std::int64_t{contents.target_duration_seconds});
    writer.number(std::int64_t{contents.part_target.count()});
    writer.number(std::uint64_t{contents.timelines.size()});
    for (const auto& [number, timeline] : contents.timelines)
        write_timeline(writer, number, timeline);
    writer.number(std::uint64_t{contents.segments.size()});
    for (const auto& segment : contents.segments)
        write_segment(writer, segment);
    writer.number(checksum(writer.bytes()));
    return std::move(writer.bytes());
}

std::optional<Broadcast::Kept> decode_kept(std::string_view bytes) {
    if (!bytes.starts_with(magic) || bytes.size() < magic.size() + checksum_bytes) return std::nullopt;
    const auto content = bytes.substr(0, bytes.size() - checksum_bytes);
    if (Reader(bytes.substr(content.size())).number() != checksum(content)) return std::nullopt;
    Reader reader(content.substr(magic.size()));
    if (reader.number() != version) return std::nullopt;
    Broadcast::Kept kept;
    kept.publication.stream_id = StreamId{reader.uuid()};
    kept.publication.user_id = UserId{reader.uuid()};
    kept.started_at = from_unix_milliseconds(reader.signed_number(number_max * 8));
    kept.thumbnails.newest = reader.text();
    kept.thumbnails.older = reader.text();
    kept.contents = read_contents(reader);
    if (!reader.good() || !reader.at_end()) return std::nullopt;
    return kept;
}

void write_kept(const std::string& directory, const Broadcast::Kept& kept) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    const std::string name = directory + "/" + kept.publication.stream_id.to_string();
    const std::string temporary = name + std::string(unfinished);
    if (write_file(temporary, encode(kept))) {
        std::filesystem::rename(temporary, name + std::string(extension), error);
        if (!error) return;
    }
    log::warning("live window not kept", {{"file", temporary}, {"error", std::strerror(errno)}});
    std::filesystem::remove(temporary, error);
}

std::vector<Broadcast::Kept> take_kept(const std::string& directory, TakeLimits limits) {
    std::vector<Broadcast::Kept> all;
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const auto name = entry.path().filename().string();
        if (name.ends_with(extension) || name.ends_with(unfinished)) paths.push_back(entry.path());
    }
    for (const auto& path : paths) {
        if (path.string().ends_with(extension) && all.size() < limits.files_max) {
            const auto bytes = read_file(path, limits.bytes_max);
            auto kept = bytes ? decode_kept(*bytes) : std::nullopt;
            if (kept) {
                all.push_back(std::move(*kept));
            } else {
                log::warning("live window not readable", {{"file", path.string()}});
            }
        }
        std::filesystem::remove(path, error);
    }
    return all;
}

}  // namespace spaktok::media
