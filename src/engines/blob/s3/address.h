// Where a bucket is and who we are there, from the URL of the settings:
//
//   s3://ACCESS_KEY:SECRET_KEY@BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION&style=path
//
// PREFIX stands before every key. Without `endpoint` it is Amazon's of the region (default us-east-1).
// `style` says where the bucket's name goes: `path` (https://HOST/BUCKET/KEY, the default with an endpoint)
// or `virtual` (https://BUCKET.HOST/KEY, the default without). Keys without which the URL comes are taken
// from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. In the URL, what is special there is written %XX.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace spaktok::blob::s3 {

struct Credentials {
    std::string access_key;
    std::string secret_key;
};

struct Address {
    Credentials credentials;
    std::string bucket;
    std::string prefix;  // empty, or ends in '/'
    std::string region;
    std::string scheme;  // http or https
    std::string host;    // as the Host header names it: with a port unless it is the scheme's own
    std::string root;    // path of the bucket: "/bucket", or "" where the host says it

    // What `key` is called on the server: a path without escapes.
    std::string path_of(const std::string& key) const { return root + "/" + prefix + key; }
    // The bucket itself.
    std::string bucket_path() const { return root.empty() ? "/" : root; }
};

using Environment = std::function<std::optional<std::string>(const std::string&)>;

// Throws Error{invalid_argument}, whose message does not repeat the URL: it has a secret in it.
Address parse_address(const std::string& url, const Environment& environment);

}  // namespace spaktok::blob::s3
