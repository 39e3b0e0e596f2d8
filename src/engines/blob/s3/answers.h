// What S3 says in XML, and what it is told in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.h"

namespace spaktok::blob::s3 {

// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#RESTErrorResponses
struct Refusal {
    std::string code;  // "NoSuchKey"; empty where the text is no error's
    std::string message;
};
Refusal read_refusal(std::string_view xml);

// Without the quotes that HTTP puts around it.
std::string unquoted_etag(std::string text);

// The text of the root's child <UploadId>; nullopt where there is none.
std::optional<std::string> read_upload_id(std::string_view xml);

// The text of the root's child <ETag>, without quotes; nullopt where there is none.
std::optional<std::string> read_etag(std::string_view xml);

struct Upload {
    std::string path;  // below the bucket: prefix and key
    std::string id;
    Timestamp begun_at{};
};
// ListMultipartUploadsResult: what it names in full.
std::vector<Upload> read_uploads(std::string_view xml);

struct Listing {
    std::vector<std::string> paths;  // below the bucket: prefix and key
    bool is_truncated = false;       // there are more
};
// ListBucketResult (ListObjectsV2); nullopt for anything else.
std::optional<Listing> read_listing(std::string_view xml);

// CompleteMultipartUpload of the parts 1, 2, … with these etags.
std::string write_parts(const std::vector<std::string>& etags);

}  // namespace spaktok::blob::s3
