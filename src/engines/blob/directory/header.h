// The first 512 bytes of a blob's file: one line of JSON, filled up with spaces and ended by a line feed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spaktok::blob::directory {

inline constexpr std::size_t header_bytes = 512;

struct Header {
    std::string content_type;
    std::string etag;
    std::uint64_t size_bytes = 0;
};

std::string write_header(const Header& header);
// nullopt where it is none, or where `file_bytes` is not the header's size and the blob's together (a foreign
// or damaged file).
std::optional<Header> read_header(std::string_view text, std::uint64_t file_bytes);

// 32 hex digits of SHA-256: equal bytes, equal etag.
std::string etag_of(std::string_view bytes);

}  // namespace spaktok::blob::directory
