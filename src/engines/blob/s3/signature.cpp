#include "engines/blob/s3/signature.h"

#include <array>
#include <cstdint>
#include <span>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/hex.h"

namespace spaktok::blob::s3 {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
}

std::string date_of(std::chrono::sys_seconds at) {
    return fmt::format("{:%Y%m%d}", at);
}
std::string time_of(std::chrono::sys_seconds at) {
    return fmt::format("{:%Y%m%dT%H%M%SZ}", at);
}
std::string scope_text(const Scope& scope) {
    return fmt::format("{}/{}/s3/aws4_request", date_of(scope.at), scope.region);
}

std::string names_of(const Headers& headers) {
    std::string names;
    for (const auto& [name, value] : headers)
        names += (names.empty() ? "" : ";") + name;
    return names;
}

std::string signature(const Signable& request, std::string_view payload, const Scope& scope) {
    std::string canonical =
        fmt::format("{}\n{}\n{}\n", request.method, escape(request.path, true), query_text(request.query));
    for (const auto& [name, value] : request.headers)
        canonical += fmt::format("{}:{}\n", name, value);
    canonical += fmt::format("\n{}\n{}", names_of(request.headers), payload);
    const auto text =
        fmt::format("{}\n{}\n{}\n{}", algorithm, time_of(scope.at), scope_text(scope), sha256_hex(canonical));
    auto key = hmac("AWS4" + scope.credentials.secret_key, date_of(scope.at));
    key = hmac(key, scope.region);
    key = hmac(key, "s3");
    key = hmac(key, "aws4_request");
    const auto digest = hmac(key, text);
    return hex::encode(std::span(reinterpret_cast<const std::uint8_t*>(digest.data()), digest.size()));
}

}  // namespace

std::string escape(std::string_view text, bool is_path) {
    std::string escaped;
    escaped.reserve(text.size());
    for (const char c : text) {
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              c == '-' || c == '.' || c == '_' || c == '~' || (is_path && c == '/');
        if (is_plain) {
            escaped += c;
        } else {
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return escaped;
}

std::string query_text(const Query& query) {
    std::string text;
    for (const auto& [name, value] : query)
        text += (text.empty() ? "" : "&") + escape(name) + "=" + escape(value);
    return text;
}

std::string sha256_hex(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
    return hex::encode(digest);
}

void sign(std::string_view method, std::string_view path, const Query& query, std::string_view body,
          const Scope& scope, Headers& headers) {
    const auto payload = sha256_hex(body);
    headers["x-amz-date"] = time_of(scope.at);
    headers["x-amz-content-sha256"] = payload;
    const auto proof =
        signature({.method = method, .path = path, .query = query, .headers = headers}, payload, scope);
    headers["authorization"] =
        fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", algorithm,
                    scope.credentials.access_key, scope_text(scope), names_of(headers), proof);
}

std::string presigned_query(std::string_view path, std::string_view host, std::chrono::seconds expires,
                            const Scope& scope) {
    const Headers headers{{"host", std::string(host)}};
    const Query query{{"X-Amz-Algorithm", std::string(algorithm)},
                      {"X-Amz-Credential", scope.credentials.access_key + "/" + scope_text(scope)},
                      {"X-Amz-Date", time_of(scope.at)},
                      {"X-Amz-Expires", std::to_string(expires.count())},
                      {"X-Amz-SignedHeaders", "host"}};
    const auto proof = signature({.method = "GET", .path = path, .query = query, .headers = headers},
                                 "UNSIGNED-PAYLOAD", scope);
    return query_text(query) + "&X-Amz-Signature=" + proof;
}

}  // namespace spaktok::blob::s3
