// The published examples:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and
// sigv4-query-string-auth.html
#include "engines/blob/s3/signature.h"

#include <gmock/gmock.h>

namespace spaktok::blob::s3 {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;

class SignatureTest : public testing::Test {
  protected:
    std::string authorization(std::string_view method, std::string_view path, const Query& query,
                              Headers headers, std::string_view body) {
        headers["host"] = host_;
        sign(method, path, query, body, scope_, headers);
        return headers["authorization"];
    }

    const std::string host_ = "examplebucket.s3.amazonaws.com";
    const std::string region_ = "us-east-1";
    const Credentials credentials_{.access_key = "AKIAIOSFODNN7EXAMPLE",
                                   .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
    const Scope scope_{.credentials = credentials_,
                       .region = region_,
                       .at = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24)};
};

TEST_F(SignatureTest, OfAGetOfARange) {
    EXPECT_EQ(authorization("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, ""),
              "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
              "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_F(SignatureTest, OfAPutWithABodyAndAPathToEscape) {
    EXPECT_THAT(authorization("PUT", "/test$file.text", {},
                              {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                               {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                              "Welcome to Amazon S3."),
                EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST_F(SignatureTest, OfAQueryWithoutAValue) {
    EXPECT_THAT(authorization("GET", "/", {{"lifecycle", ""}}, {}, ""),
                EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST_F(SignatureTest, OfAQueryInOrder) {
    EXPECT_THAT(authorization("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""),
                EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST_F(SignatureTest, InAUrl) {
    EXPECT_EQ(presigned_query("/test.txt", host_, 86'400s, scope_),
              "X-Amz-Algorithm=AWS4-HMAC-SHA256"
              "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
              "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
              "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(Escape, KeepsUnreservedCharactersAndThePathsSlashes) {
    EXPECT_EQ(escape("AZaz09-._~"), "AZaz09-._~");
    EXPECT_EQ(escape("a/b c+d%é"), "a%2Fb%20c%2Bd%25%C3%A9");
    EXPECT_EQ(escape("/a/b c", true), "/a/b%20c");
}

}  // namespace
}  // namespace spaktok::blob::s3
