#include "engines/blob/s3/answers.h"

#include <gmock/gmock.h>

namespace spaktok::blob::s3 {
namespace {

using testing::IsEmpty;

TEST(S3Answer, OfARefusalHasItsCodeAndMessage) {
    const auto refusal = read_refusal(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>a &lt;b&gt; &#233;"
        "</Message><Key>k</Key></Error>");
    EXPECT_EQ(refusal.code, "NoSuchKey");
    EXPECT_EQ(refusal.message, "a <b> é");
}

TEST(S3Answer, IdAndEtagAreTheRootsOwn) {
    EXPECT_EQ(
        read_upload_id("<R xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><UploadId>a/b=</UploadId></R>"),
        "a/b=");
    EXPECT_EQ(read_upload_id("<R><Other><UploadId>a</UploadId></Other></R>"), std::nullopt);
    EXPECT_EQ(read_etag("<R><ETag>&quot;tag-2&quot;</ETag></R>"), "tag-2");
    EXPECT_EQ(read_etag("  \n<?xml version=\"1.0\"?><R><ETag>tag</ETag></R>"), "tag");  // after a long wait
    EXPECT_EQ(read_etag("<Error><Code>InternalError</Code></Error>"), std::nullopt);
}

TEST(S3Answer, ThatIsNoneSaysNothing) {
    // What would grow: only XML's own entities are known.
    const std::string bomb =
        "<!DOCTYPE e [<!ENTITY a \"&b;&b;&b;\"><!ENTITY b \"lots\">]><Error><Code>&a;</Code></Error>";
    for (const std::string& text :
         {std::string(), std::string("<"), std::string("<Error><Code>x"), std::string("\0<Error/>", 9),
          std::string("<html>a proxy's page"), std::string(60'000, '<')}) {
        EXPECT_EQ(read_refusal(text).message, "") << text.substr(0, 20);
        EXPECT_EQ(read_upload_id(text), std::nullopt) << text.substr(0, 20);
        EXPECT_EQ(read_etag(text), std::nullopt) << text.substr(0, 20);
        EXPECT_THAT(read_uploads(text), IsEmpty()) << text.substr(0, 20);
    }
    EXPECT_EQ(read_refusal(bomb).code, "&a;");
}

TEST(S3Answer, OfUploadsNamesThoseThatAreWhole) {
    const auto uploads = read_uploads(
        "<L><Upload><Key>a/b</Key><UploadId>1</UploadId><Initiated>2026-01-31T08:09:10.000Z</Initiated></"
        "Upload>"
        "<Upload><Key>a/c</Key><UploadId>2</UploadId><Initiated>yesterday</Initiated></Upload>"
        "<Upload><UploadId>3</UploadId><Initiated>2026-01-31T08:09:10.000Z</Initiated></Upload></L>");
    ASSERT_EQ(uploads.size(), 1U);
    EXPECT_EQ(uploads[0].path, "a/b");
    EXPECT_EQ(uploads[0].id, "1");
    EXPECT_EQ(to_rfc3339(uploads[0].begun_at), "2026-01-31T08:09:10.000Z");
}

TEST(S3Answer, OfAListNamesItsObjectsAndSaysWhetherThereAreMore) {
    const auto listing = read_listing(
        "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a/b</Key></Contents>"
        "<Contents><Key>a/&amp;</Key></Contents></ListBucketResult>");
    ASSERT_TRUE(listing);
    EXPECT_THAT(listing->paths, testing::ElementsAre("a/b", "a/&"));
    EXPECT_TRUE(listing->is_truncated);
    EXPECT_FALSE(read_listing("<ListBucketResult/>")->is_truncated);
    EXPECT_FALSE(read_listing("<Error><Code>AccessDenied</Code></Error>"));
    EXPECT_FALSE(read_listing("<ListBucketResult><Contents>"));
}

TEST(S3Answer, ToWhichPartsAreListedInOrder) {
    EXPECT_EQ(
        write_parts({"\"a\"", "<b>"}),
        "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>&lt;b&gt;</ETag></Part></CompleteMultipartUpload>");
}

}  // namespace
}  // namespace spaktok::blob::s3
