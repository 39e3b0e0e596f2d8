#include "engines/blob/directory/header.h"

#include <array>
#include <span>

#include <boost/describe.hpp>
#include <openssl/sha.h>

#include "base/assert.h"
#include "base/hex.h"
#include "base/json.h"

namespace spaktok::blob::directory {

BOOST_DESCRIBE_STRUCT(Header, (), (content_type, etag, size_bytes))

std::string write_header(const Header& header) {
    std::string text = json::serialize(header);
    SPAKTOK_ASSERT(text.size() < header_bytes);  // check_content_type bounds the only part that varies
    text.resize(header_bytes - 1, ' ');
    text.push_back('\n');
    return text;
}

std::optional<Header> read_header(std::string_view text, std::uint64_t file_bytes) {
    if (text.size() != header_bytes || text.back() != '\n') return std::nullopt;
    try {
        Header header = json::from_value<Header>(json::parse(text, 1));
        if (header.size_bytes + header_bytes != file_bytes) return std::nullopt;
        return header;
    } catch (const Error&) {
        return std::nullopt;
    }
}

std::string etag_of(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return hex::encode(std::span(digest).first(16));
}

}  // namespace spaktok::blob::directory
