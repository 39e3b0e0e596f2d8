// AWS Signature Version 4 for S3, in headers and in URLs
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html). libcurl can make the
// former (CURLOPT_AWS_SIGV4) but not the latter, and in Debian's version it sorts no query and hashes no
// upload: one signer for both is less.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "engines/blob/s3/address.h"

namespace spaktok::blob::s3 {

using Query = std::map<std::string, std::string>;    // without escapes
using Headers = std::map<std::string, std::string>;  // names in lower case

struct Signable {
    std::string_view method;
    std::string_view path;  // without escapes
    const Query& query;
    const Headers& headers;  // all are signed: `host` must be among them
};
struct Scope {
    const Credentials& credentials;
    const std::string& region;
    std::chrono::sys_seconds at;
};

// Everything but unreserved characters as %XX; '/' stays where it is a path's.
std::string escape(std::string_view text, bool is_path = false);
// "a=1&b=2", escaped and in order, as it is signed and as it must be sent.
std::string query_text(const Query& query);
// 64 hex digits: what the header x-amz-content-sha256 says of a body, so that the server refuses any other.
std::string sha256_hex(std::string_view bytes);

// Adds x-amz-date, x-amz-content-sha256 (of `body`) and authorization to the headers.
void sign(std::string_view method, std::string_view path, const Query& query, std::string_view body,
          const Scope& scope, Headers& headers);
// The query that lets anyone GET the path at the host until `expires` after `scope.at`: 1 s to 7 days.
std::string presigned_query(std::string_view path, std::string_view host, std::chrono::seconds expires,
                            const Scope& scope);

}  // namespace spaktok::blob::s3
