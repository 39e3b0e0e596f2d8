#include "engines/blob/blob_contract_suite.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <gmock/gmock.h>

#include "base/error.h"
#include "engines/blob/limits.h"
#include "engines/blob/listing.h"

namespace spaktok::blob::contract {

using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;

std::vector<Adapter> all_adapters() {
    return {
        {"directory", [] { return std::make_unique<FolderPlace>("file:", "media"); }},
        {"s3", [] { return std::make_unique<S3Place>(); }},
    };
}

INSTANTIATE_TEST_SUITE_P(Adapters, BlobContract, testing::ValuesIn(all_adapters()),
                         engines::testing::adapter_name);
INSTANTIATE_TEST_SUITE_P(Adapters, BlobContractConcurrent, testing::ValuesIn(all_adapters()),
                         engines::testing::adapter_name);

void BlobContract::reopen() {
    store_.reset();
    store_ = open(place_->url());
}

std::string BlobContract::put(std::string key, std::string bytes, std::string content_type) {
    return run(store().put(std::move(key), std::move(bytes), std::move(content_type)));
}

std::string BlobContract::bytes_of(std::string key, Range range) {
    const auto blob = run(store().get(std::move(key), range));
    return blob ? blob->bytes : "none";
}

TEST_P(BlobContract, GivesBackWhatWasPut) {
    std::string bytes;
    for (int i = 0; i < 70'000; ++i)
        bytes.push_back(static_cast<char>(i * 7));
    const auto before = std::chrono::system_clock::now();
    const auto etag = put("pictures/a.webp", bytes, "image/webp");
    EXPECT_FALSE(etag.empty());
    const auto blob = run(store().get("pictures/a.webp"));
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->bytes, bytes);
    EXPECT_EQ(blob->offset, 0u);
    for (const Metadata& metadata : {blob->metadata, *run(store().stat("pictures/a.webp"))}) {
        EXPECT_EQ(metadata.size_bytes, bytes.size());
        EXPECT_EQ(metadata.content_type, "image/webp");
        EXPECT_EQ(metadata.etag, etag);
        EXPECT_EQ(metadata.modified_at, blob->metadata.modified_at);
        // Engines may keep it in whole seconds.
        EXPECT_GE(metadata.modified_at, before - std::chrono::seconds(1));
        EXPECT_LE(metadata.modified_at, std::chrono::system_clock::now());
    }
}

TEST_P(BlobContract, TellsWhatIsNotThere) {
    EXPECT_FALSE(run(store().get("no/such")));
    EXPECT_FALSE(run(store().stat("no/such")));
    EXPECT_FALSE(run(store().remove("no/such")));
}

TEST_P(BlobContract, PutReplacesBytesTypeAndEtag) {
    const auto first = put("a", "one", "text/plain");
    const auto second = put("a", "two", "text/html; charset=utf-8");
    EXPECT_NE(first, second);
    EXPECT_EQ(bytes_of("a"), "two");
    EXPECT_EQ(run(store().stat("a"))->content_type, "text/html; charset=utf-8");
}

TEST_P(BlobContract, RemovesOnce) {
    put("a/b/c", "bytes");
    EXPECT_TRUE(run(store().remove("a/b/c")));
    EXPECT_FALSE(run(store().remove("a/b/c")));
    EXPECT_EQ(bytes_of("a/b/c"), "none");
    put("a/b/c", "again");
    EXPECT_EQ(bytes_of("a/b/c"), "again");
}

std::vector<std::string> listed_by(BlobStore& store, std::size_t limit) {
    std::vector<std::string> keys;
    for (;;) {
        const auto page = run(lister_of(store).list(keys.empty() ? "" : keys.back(), limit));
        keys.insert(keys.end(), page.begin(), page.end());
        EXPECT_LE(page.size(), limit);
        if (page.size() < limit || keys.size() > 1'000) return keys;
    }
}

TEST_P(BlobContract, ListsEveryKeyOnceWhateverTheSizeOfAPage) {
    EXPECT_THAT(listed_by(store(), 10), testing::IsEmpty());
    std::vector<std::string> keys{"pictures/a.webp",
                                  "pictures/a-b.webp",
                                  "pictures/a/b.webp",
                                  "pictures0",
                                  "top",
                                  "x.y/z_0",
                                  std::string(200, 'n') + "/deep"};
    if (GetParam().name == "directory") keys.push_back(std::string(key_characters_max, 'k'));
    for (int i = 0; i < 20; ++i)
        keys.push_back("many/" + std::to_string(i));
    for (const auto& key : keys)
        put(key, "bytes of " + key);
    for (const std::size_t limit : {1U, 2U, 7U, 1'000U})
        EXPECT_THAT(listed_by(store(), limit), testing::UnorderedElementsAreArray(keys)) << limit;
    run(store().remove("top"));
    EXPECT_THAT(listed_by(store(), 7), testing::Not(testing::Contains("top")));
}

TEST_P(BlobContract, ListsPagesOfOneToAThousand) {
    EXPECT_EQ(error_of(lister_of(store()).list("", 0)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(lister_of(store()).list("", list_keys_max + 1)), ErrorCode::invalid_argument);
    EXPECT_EQ(error_of(lister_of(store()).list("no/../key", 1)), ErrorCode::invalid_argument);
}

TEST_P(BlobContract, GivesRanges) {
    put("a", "0123456789");
    const struct {
        Range range;
        std::string bytes;
    } cases[] = {
        {{}, "0123456789"},   {{.offset = 3}, "3456789"},           {{.offset = 0, .length = 4}, "0123"},
        {{.offset = 9}, "9"}, {{.offset = 8, .length = 100}, "89"}, {{.offset = 5, .length = 0}, ""},
    };
    for (const auto& each : cases) {
        const auto blob = run(store().get("a", each.range));
        ASSERT_TRUE(blob);
        EXPECT_EQ(blob->bytes, each.bytes);
        EXPECT_EQ(blob->offset, each.range.offset);
        EXPECT_EQ(blob->metadata.size_bytes, 10u);
    }
    EXPECT_EQ(error_of(store().get("a", {.offset = 10})), ErrorCode::range_not_satisfiable);
    EXPECT_EQ(error_of(store().get("a", {.offset = 10, .length = 0})), ErrorCode::range_not_satisfiable);
    EXPECT_EQ(error_of(store().get("a", {.offset = UINT64_MAX})), ErrorCode::range_not_satisfiable);
    EXPECT_EQ(bytes_of("a", {.offset = 7, .length = UINT64_MAX - 3}), "789");
    EXPECT_EQ(bytes_of("missing", {.offset = 3, .length = 4}), "none");
    EXPECT_EQ(bytes_of("missing", {.offset = 0, .length = 0}), "none");
}

TEST_P(BlobContract, EqualBytesHaveEqualEtags) {
    EXPECT_EQ(put("a", "same"), put("b", "same", "text/html"));
    const std::string large(9 * 1024 * 1024, 'x');
    EXPECT_EQ(put("a", large), put("b", large));
}

TEST_P(BlobContract, KeepsLargeBlobsWhole) {
    // 20 MB without a pattern that repeats with any part's size, so that no part is in another's place.
    std::string bytes(20'000'003, '\0');
    std::uint32_t state = 1;
    for (char& byte : bytes) {
        state = state * 1'664'525u + 1'013'904'223u;
        byte = static_cast<char>(state >> 24);
    }
    const auto etag = put("videos/large.mp4", bytes, "video/mp4");
    const auto blob = run(store().get("videos/large.mp4"));
    ASSERT_TRUE(blob);
    EXPECT_TRUE(blob->bytes == bytes);  // never printed
    EXPECT_EQ(blob->metadata.etag, etag);
    EXPECT_EQ(blob->metadata.content_type, "video/mp4");
    EXPECT_EQ(bytes_of("videos/large.mp4", {.offset = 8'388'600, .length = 16}), bytes.substr(8'388'600, 16));
    put("videos/large.mp4", "small");
    EXPECT_EQ(bytes_of("videos/large.mp4"), "small");
}

TEST_P(BlobContract, APresignedUrlGivesTheBlobToAnyone) {
    put("videos/a-b.mp4", "bytes", "video/mp4");
    const auto url = store().presigned_get("videos/a-b.mp4", std::chrono::minutes(5));
    ASSERT_EQ(url.has_value(), place_->url().starts_with("s3:"));
    if (!url) return;  // a directory serves nobody else
    const auto answer = s3::fetch(*url);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "bytes");
    EXPECT_EQ(s3::fetch(*url + "0").status, 403);
    EXPECT_EQ(s3::fetch(url->substr(0, url->find('?'))).status, 403);
    const auto missing = store().presigned_get("videos/missing.mp4", std::chrono::minutes(5));
    EXPECT_EQ(s3::fetch(*missing).status, 404);
}

TEST_P(BlobContract, PresignsForOneSecondToSevenDays) {
    using std::chrono::hours;
    using std::chrono::seconds;
    const auto refusal = [&](const std::string& key, seconds expires) -> std::optional<ErrorCode> {
        try {
            store().presigned_get(key, expires);
        } catch (const Error& error) {
            return error.code();
        }
        return std::nullopt;
    };
    EXPECT_EQ(refusal("a", seconds(1)), std::nullopt);
    EXPECT_EQ(refusal("a", hours(168)), std::nullopt);
    EXPECT_EQ(refusal("a", seconds(0)), ErrorCode::invalid_argument);
    EXPECT_EQ(refusal("a", hours(168) + seconds(1)), ErrorCode::invalid_argument);
    EXPECT_EQ(refusal("a/../b", seconds(1)), ErrorCode::invalid_argument);
}

TEST_P(BlobContract, AnEmptyBlobIsABlob) {
    put("empty", "");
    EXPECT_EQ(bytes_of("empty"), "");
    EXPECT_EQ(bytes_of("empty", {.offset = 0, .length = 0}), "");
    EXPECT_EQ(bytes_of("empty", {.offset = 0, .length = 5}), "");
    EXPECT_EQ(run(store().stat("empty"))->size_bytes, 0u);
    EXPECT_EQ(error_of(store().get("empty", {.offset = 1})), ErrorCode::range_not_satisfiable);
}

TEST_P(BlobContract, AKeyMayBeginAnotherKey) {
    put("a", "short");
    put("a/b", "long");
    put("a.b", "dot");
    EXPECT_EQ(bytes_of("a"), "short");
    EXPECT_EQ(bytes_of("a/b"), "long");
    EXPECT_TRUE(run(store().remove("a/b")));
    EXPECT_EQ(bytes_of("a"), "short");
}

TEST_P(BlobContract, TakesKeysUpToTheLimitAndRefusesOthers) {
    const std::string longest(key_characters_max, 'k');
    std::string deepest = "d";
    while (deepest.size() + 2 <= key_characters_max)
        deepest += "/d";
    for (const auto& key :
         {longest, longest.substr(1), deepest, std::string("..."), std::string("a..b/-_")}) {
        put(key, key);
        EXPECT_EQ(bytes_of(key), key);
    }
    for (const std::string& key :
         {std::string(), longest + "k", std::string("/a"), std::string("a/"), std::string("a//b"),
          std::string("."), std::string(".."), std::string("a/../b"), std::string("./a"), std::string("A"),
          std::string("a b"), std::string("a~"), std::string("a\0b", 3), std::string("a\\b"),
          std::string("é")}) {
        EXPECT_EQ(error_of(store().put(key, "", "text/plain")), ErrorCode::invalid_argument) << key;
        EXPECT_EQ(error_of(store().get(key)), ErrorCode::invalid_argument) << key;
        EXPECT_EQ(error_of(store().stat(key)), ErrorCode::invalid_argument) << key;
        EXPECT_EQ(error_of(store().remove(key)), ErrorCode::invalid_argument) << key;
    }
}

TEST_P(BlobContract, TakesContentTypesUpToTheLimitAndRefusesOthers) {
    const std::string longest = "text/" + std::string(content_type_characters_max - 5, 'x');
    put("a", "", longest);
    EXPECT_EQ(run(store().stat("a"))->content_type, longest);
    for (const std::string& type :
         {std::string(), longest + "x", std::string("text/\n"), std::string("text/é")}) {
        EXPECT_EQ(error_of(store().put("a", "", type)), ErrorCode::invalid_argument) << type;
    }
}

TEST_P(BlobContract, SurvivesBeingReopened) {
    put("a/b", "bytes");
    reopen();
    EXPECT_EQ(bytes_of("a/b"), "bytes");
    EXPECT_NO_THROW(run(store().check()));
}

TEST_P(BlobContract, WhatWasAcknowledgedIsThereAfterAKill) {
    store_.reset();  // no thread may be running when the child is forked
    const std::string url = place_->url();
    const auto acknowledged = engines::testing::reported_before_kill(50, [&](const auto& report) {
        const auto child = open(url);
        for (std::int64_t number = 1;; ++number) {
            run(child->put("blobs/" + std::to_string(number), std::to_string(number), "text/plain"));
            report(number);
        }
    });
    ASSERT_GE(acknowledged.size(), 50u);
    reopen();
    for (const auto number : acknowledged)
        EXPECT_EQ(bytes_of("blobs/" + std::to_string(number)), std::to_string(number));
}

TEST_P(BlobContractConcurrent, ReadersSeeTheOldBlobOrTheNewOne) {
    const std::string old_bytes(100'000, 'o');
    const std::string new_bytes(50'000, 'n');
    put("a/b", old_bytes, "text/old");
    std::atomic<bool> done{false};
    std::atomic<int> torn{0};
    engines::testing::in_parallel(3, [&](int thread) {
        if (thread == 0) {
            for (int i = 0; i < 40; ++i) {
                const bool odd = i % 2 == 1;
                run(store().put("a/b", odd ? old_bytes : new_bytes, odd ? "text/old" : "text/new"));
            }
            done = true;
            return;
        }
        while (!done) {
            const auto blob = run(store().get("a/b"));
            const bool is_old = blob && blob->bytes == old_bytes && blob->metadata.content_type == "text/old";
            const bool is_new = blob && blob->bytes == new_bytes && blob->metadata.content_type == "text/new";
            if (!is_old && !is_new) ++torn;
        }
    });
    EXPECT_EQ(torn, 0);
}

TEST_P(BlobContractConcurrent, FoldersThatEmptyAndFillAtOnceLoseNothing) {
    engines::testing::in_parallel(4, [&](int thread) {
        const std::string key = "folder/inner/" + std::to_string(thread);
        for (int i = 0; i < 30; ++i) {
            run(store().put(key, "bytes", "text/plain"));
            EXPECT_TRUE(run(store().remove(key)));
        }
        run(store().put(key, "kept", "text/plain"));
    });
    for (int thread = 0; thread < 4; ++thread)
        EXPECT_EQ(bytes_of("folder/inner/" + std::to_string(thread)), "kept");
}

}  // namespace spaktok::blob::contract
