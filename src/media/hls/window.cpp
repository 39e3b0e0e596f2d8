#include "media/hls/window.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "http/compression.h"
#include "media/hls/playlist.h"

namespace spaktok::media::hls {
namespace {

using std::chrono::microseconds;

// The first segment may be shorter than the others: nobody sees a picture before it is complete.
constexpr std::chrono::milliseconds first_segment_min{500};

// Below this, copying a part costs the kernel less than sending it from a file (measured: break-even at 20
// KB).
constexpr std::size_t file_bytes_min = 32 * 1024;

// EXTINF rounded to whole seconds must not pass the target duration (RFC 8216, 4.3.3.1).
constexpr std::chrono::milliseconds rounding{499};

int whole_seconds_up(microseconds duration) {
    return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

}  // namespace

Window::Window(WindowOptions options, First first, IoThreads& threads)
    : options_(options), arrivals_(std::make_shared<Arrivals>(threads, options.waiters_max)) {
    contents_.next_sequence = first.sequence;
    contents_.next_timeline = first.timeline;
}

Window::Window(WindowOptions options, Contents contents, IoThreads& threads)
    : options_(options),
      arrivals_(std::make_shared<Arrivals>(threads, options.waiters_max)),
      contents_(std::move(contents)) {
    const std::scoped_lock lock(mutex_);
    close_open();
    changed();
}

void Window::begin_timeline(TimelineStart start, Timestamp now) {
    const std::scoped_lock lock(mutex_);
    close_open();
    Timeline timeline;
    timeline.init = std::move(start.init);
    timeline.codecs = std::move(start.codecs);
    timeline.width = start.width;
    timeline.height = start.height;
    timeline.wall_start = now;
    drop_unused_timeline();
    contents_.bytes += timeline.init->size();
    contents_.timelines[contents_.next_timeline++] = std::move(timeline);
    changed();
}

// A publisher that changed its configuration before it sent anything leaves no discontinuity behind.
void Window::drop_unused_timeline() {
    if (contents_.timelines.empty()) return;
    const auto newest = std::prev(contents_.timelines.end());
    if (!contents_.segments.empty() && contents_.segments.back().timeline == newest->first) return;
    contents_.bytes -= newest->second.init->size();
    contents_.next_timeline = newest->first;
    contents_.timelines.erase(newest);
}

// Without a descriptor or memory for it, a part is kept like a small one.
http::BodyPart Window::store(const http::SharedBytes& bytes) const {
    if (file_ && bytes->size() >= file_bytes_min) {
        if (auto extent = file_->append(*bytes)) return http::BodyPart(std::move(extent));
    }
    return http::BodyPart(bytes);
}

void Window::add(const cmaf::Fragment& fragment) {
    auto bytes = store(fragment.bytes);
    const std::scoped_lock lock(mutex_);
    SPAKTOK_ASSERT(!contents_.timelines.empty() && !contents_.ended);
    if (contents_.open) {
        const microseconds longest = contents_.target_duration_seconds > 0
                                         ? std::chrono::seconds(contents_.target_duration_seconds) + rounding
                                         : microseconds(options_.segment_max);
        const auto& open = *contents_.open;
        const bool too_long = open.duration + fragment.duration > longest;
        const bool too_big = open.bytes + fragment.bytes->size() > options_.bytes_max / 4;
        if (too_long || too_big || static_cast<std::int64_t>(open.parts.size()) >= parts_max) close_open();
    }
    add_part(fragment, std::move(bytes));
    const bool first = contents_.segments.empty();
    const microseconds enough =
        first ? microseconds(first_segment_min) : microseconds(options_.segment_target) * 3 / 4;
    if (fragment.before_keyframe && contents_.open->duration >= enough) close_open();
    evict();
    changed();
}

void Window::add_part(const cmaf::Fragment& fragment, http::BodyPart bytes) {
    const std::int64_t number = contents_.timelines.rbegin()->first;
    auto& timeline = contents_.timelines.rbegin()->second;
    if (timeline.duration.count() == 0) timeline.media_start = fragment.start;
    timeline.pictures += fragment.pictures;
    timeline.duration += fragment.duration;
    if (!contents_.open) {
        contents_.open =
            Segment{.sequence = contents_.next_sequence++, .timeline = number, .start = fragment.start};
    }
    auto& open = *contents_.open;
    open.duration += fragment.duration;
    open.bytes += bytes.length;
    contents_.bytes += bytes.length;
    open.parts.push_back({std::move(bytes), fragment.duration, fragment.independent});
}

void Window::close_segment() {
    const std::scoped_lock lock(mutex_);
    close_open();
    changed();
}

void Window::end() {
    const std::scoped_lock lock(mutex_);
    close_open();
    contents_.ended = true;
    changed();
}

void Window::close_open() {
    if (!contents_.open) return;
    contents_.segments.push_back(std::move(*contents_.open));
    contents_.open.reset();
    if (contents_.target_duration_seconds == 0) choose_targets();
}

// By the first segment, which tells the distance between keyframes. From then on segments keep to it.
void Window::choose_targets() {
    const auto& first = contents_.segments.back();
    contents_.target_duration_seconds =
        std::max(whole_seconds_up(options_.segment_target), whole_seconds_up(first.duration - rounding));
    contents_.part_target = microseconds(options_.fragment_target) * 11 / 10;
    for (const auto& part : first.parts)
        contents_.part_target = std::max(contents_.part_target, part.duration);
    contents_.part_target =
        std::chrono::ceil<std::chrono::milliseconds>(contents_.part_target);  // as written
}

// Oldest first, whole segments, never the one being written.
void Window::evict() {
    auto& segments = contents_.segments;
    while (!segments.empty()) {
        const bool too_many = first_listed() > options_.unlisted_segments;
        if (!too_many && contents_.bytes <= options_.bytes_max) break;
        contents_.bytes -= segments.front().bytes;
        segments.pop_front();
        const std::int64_t oldest = !segments.empty() ? segments.front().timeline
                                    : contents_.open  ? contents_.open->timeline
                                                      : contents_.next_timeline - 1;
        while (contents_.timelines.begin()->first < oldest) {
            contents_.bytes -= contents_.timelines.begin()->second.init->size();
            contents_.timelines.erase(contents_.timelines.begin());
        }
    }
}

// Index of the first segment that the playlist names: those before it are kept for players that are behind.
std::size_t Window::first_listed() const {
    const auto& segments = contents_.segments;
    microseconds listed = contents_.open ? contents_.open->duration : microseconds{0};
    std::size_t index = segments.size();
    while (index > 0 && listed + segments[index - 1].duration <= options_.window)
        listed += segments[--index].duration;
    // A live playlist shorter than three target durations would starve players (RFC 8216, 6.2.2).
    return std::min(index, segments.size() - std::min<std::size_t>(segments.size(), 3));
}

void Window::changed() {
    playlist_.reset();
    playlist_gzipped_.reset();
    if (contents_.ended) return arrivals_->advance(Arrivals::everything);
    const auto& open = contents_.open;
    const std::int64_t sequence = open ? open->sequence : contents_.next_sequence;
    const bool nothing = !open && contents_.segments.empty();
    if (!nothing)
        arrivals_->advance(
            mark_of_part(sequence, open ? static_cast<std::int64_t>(open->parts.size()) - 1 : -1));
}

std::uint64_t Window::mark_of_part(std::int64_t sequence, std::int64_t part) {
    return static_cast<std::uint64_t>(sequence * parts_max + part + 2);
}

std::uint64_t Window::mark_of_segment(std::int64_t sequence) {
    return mark_of_part(sequence + 1, -1);
}

bool Window::has_parts() const {
    const std::scoped_lock lock(mutex_);
    return contents_.open || !contents_.segments.empty();
}

bool Window::ended() const {
    const std::scoped_lock lock(mutex_);
    return contents_.ended;
}

std::int64_t Window::live_sequence() const {
    const std::scoped_lock lock(mutex_);
    return contents_.open ? contents_.open->sequence : contents_.next_sequence;
}

int Window::target_duration_seconds() const {
    const std::scoped_lock lock(mutex_);
    return contents_.target_duration_seconds;
}

http::SharedBytes Window::playlist(Encoding encoding) const {
    const std::scoped_lock lock(mutex_);
    if (contents_.target_duration_seconds == 0) return nullptr;
    if (!playlist_)
        playlist_ = std::make_shared<const std::string>(media_playlist(contents_, first_listed()));
    if (encoding == Encoding::plain) return playlist_;
    if (!playlist_gzipped_) playlist_gzipped_ = std::make_shared<const std::string>(http::gzip(*playlist_));
    return playlist_gzipped_;
}

std::string Window::master_playlist(std::string_view media_uri) const {
    const std::scoped_lock lock(mutex_);
    if (!contents_.open && contents_.segments.empty()) return {};
    return hls::master_playlist(contents_, media_uri);
}

http::SharedBytes Window::init(std::int64_t timeline) const {
    const std::scoped_lock lock(mutex_);
    const auto it = contents_.timelines.find(timeline);
    return it == contents_.timelines.end() ? nullptr : it->second.init;
}

std::vector<http::BodyPart> Window::segment(std::int64_t sequence) const {
    const std::scoped_lock lock(mutex_);
    std::vector<http::BodyPart> body;
    // Numbers are consecutive: a segment's place follows from its number.
    if (contents_.segments.empty() || sequence < contents_.segments.front().sequence) return body;
    const auto index = static_cast<std::size_t>(sequence - contents_.segments.front().sequence);
    if (index >= contents_.segments.size()) return body;
    for (const auto& part : contents_.segments[index].parts)
        body.push_back(part.bytes);
    return body;
}

std::optional<http::BodyPart> Window::part(std::int64_t sequence, std::size_t part) const {
    const std::scoped_lock lock(mutex_);
    const Segment* segment = nullptr;
    if (contents_.open && contents_.open->sequence == sequence) {
        segment = &*contents_.open;
    } else if (!contents_.segments.empty() && sequence >= contents_.segments.front().sequence) {
        const auto index = static_cast<std::size_t>(sequence - contents_.segments.front().sequence);
        if (index < contents_.segments.size()) segment = &contents_.segments[index];
    }
    if (segment == nullptr || part >= segment->parts.size()) return std::nullopt;
    return segment->parts[part].bytes;
}

std::optional<Window::Picture> Window::newest_picture() const {
    const std::scoped_lock lock(mutex_);
    const auto find = [&](const Segment& segment) -> std::optional<Picture> {
        const auto& timeline = contents_.timelines.at(segment.timeline);
        if (timeline.width == 0) return std::nullopt;
        for (auto part = segment.parts.rbegin(); part != segment.parts.rend(); ++part) {
            if (part->independent) return Picture{timeline.init, part->bytes};
        }
        return std::nullopt;
    };
    if (contents_.open) {
        if (auto picture = find(*contents_.open)) return picture;
    }
    for (auto segment = contents_.segments.rbegin(); segment != contents_.segments.rend(); ++segment) {
        if (auto picture = find(*segment)) return picture;
    }
    return std::nullopt;
}

double Window::fps() const {
    const std::scoped_lock lock(mutex_);
    return contents_.timelines.empty() ? 0 : frame_rate(contents_.timelines.rbegin()->second);
}

Contents Window::contents() const {
    const std::scoped_lock lock(mutex_);
    return contents_;
}

}  // namespace spaktok::media::hls
