#include "engines/blob/s3/address.h"

#include <map>

#include <gmock/gmock.h>

#include "base/error.h"

namespace spaktok::blob::s3 {
namespace {

using testing::HasSubstr;
using testing::Not;

std::optional<std::string> nothing(const std::string&) {
    return std::nullopt;
}

TEST(S3Address, OfAmazonIsTheRegionsWithTheBucketInTheHost) {
    const auto address = parse_address("s3://id:secret@bucket/media?region=eu-north-1", nothing);
    EXPECT_EQ(address.scheme, "https");
    EXPECT_EQ(address.host, "bucket.s3.eu-north-1.amazonaws.com");
    EXPECT_EQ(address.region, "eu-north-1");
    EXPECT_EQ(address.path_of("a/b"), "/media/a/b");
    EXPECT_EQ(address.bucket_path(), "/");
}

TEST(S3Address, OfAnotherServerHasTheBucketInThePath) {
    const auto address = parse_address("s3://id:secret@bucket?endpoint=http://%5B::1%5D:9000/", nothing);
    EXPECT_EQ(address.scheme, "http");
    EXPECT_EQ(address.host, "[::1]:9000");
    EXPECT_EQ(address.region, "us-east-1");
    EXPECT_EQ(address.path_of("a/b"), "/bucket/a/b");
    EXPECT_EQ(address.bucket_path(), "/bucket");
}

TEST(S3Address, StyleSaysWhereTheBucketGoesAndAUsualPortIsNotNamed) {
    const auto address =
        parse_address("s3://id:secret@bucket?endpoint=https://s3.example.org:443&style=virtual", nothing);
    EXPECT_EQ(address.host, "bucket.s3.example.org");
    EXPECT_EQ(parse_address("s3://id:secret@bucket?style=path", nothing).path_of("a"), "/bucket/a");
}

TEST(S3Address, TakesKeysWithEscapesOrFromTheEnvironment) {
    const auto given = parse_address("s3://id:a%2Fb%2Bc%40@bucket/a%20b/", nothing);
    EXPECT_EQ(given.credentials.access_key, "id");
    EXPECT_EQ(given.credentials.secret_key, "a/b+c@");
    EXPECT_EQ(given.prefix, "a b/");
    const std::map<std::string, std::string> variables{{"AWS_ACCESS_KEY_ID", "env id"},
                                                       {"AWS_SECRET_ACCESS_KEY", "env secret"}};
    const auto found = parse_address("s3://bucket/", [&](const std::string& name) {
        const auto variable = variables.find(name);
        return variable == variables.end() ? std::nullopt : std::optional(variable->second);
    });
    EXPECT_EQ(found.credentials.access_key, "env id");
    EXPECT_EQ(found.credentials.secret_key, "env secret");
    EXPECT_EQ(found.prefix, "");
}

TEST(S3Address, TakesPrefixesUpToTheLimit) {
    const std::string longest(512, 'p');
    EXPECT_EQ(parse_address("s3://id:secret@bucket/" + longest, nothing).prefix, longest + "/");
    EXPECT_THROW(parse_address("s3://id:secret@bucket/p" + longest, nothing), Error);
}

struct Refused {
    const char* url;
    const char* says;
};
class RefusedAddress : public testing::TestWithParam<Refused> {};

TEST_P(RefusedAddress, IsExplainedWithoutItsSecret) {
    try {
        parse_address(GetParam().url, nothing);
        ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
        EXPECT_THAT(error.message(), HasSubstr(GetParam().says));
        EXPECT_THAT(error.message() + error.detail(), Not(HasSubstr("hidden")));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedAddress,
    testing::Values(Refused{"s3://id:hid/den@bucket", "%2F"}, Refused{"s3:bucket", "bucket's name"},
                    Refused{"s3://id:hidden@bucket:9000", "port"}, Refused{"s3://id:hidden@ab", "3 to 63"},
                    Refused{"s3://id:hidden@BUCKET_NAME", "3 to 63"},
                    Refused{"s3://id:hidden@bucket?colour=blue", "colour"},
                    Refused{"s3://id:hidden@bucket?region=a/b", "region"},
                    Refused{"s3://id:hidden@bucket?style=modern", "style"},
                    Refused{"s3://id:hidden@bucket?endpoint=ftp://host", "endpoint"},
                    Refused{"s3://id:hidden@bucket?endpoint=http://host/path", "endpoint"},
                    Refused{"s3://id:hidden@bucket?endpoint=http://a:b@host", "endpoint"},
                    Refused{"s3://bucket", "AWS_SECRET_ACCESS_KEY"}, Refused{"s3://id@bucket", "keys"}));

}  // namespace
}  // namespace spaktok::blob::s3
