#include "engines/blob/blob_contract_suite.h"

#include <atomic>
#include <optional>

#include "base/error.h"
#include "engines/blob/limits.h"

namespace spaktok::blob::contract {

using engines::testing::error_of;
using engines::testing::FolderPlace;
using engines::testing::run;

std::vector<Adapter> all_adapters() {
    return {
        {"directory", [] { return std::make_unique<FolderPlace>("file:", "media"); }},
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

Metadata BlobContract::put(std::string key, std::string bytes, std::string content_type) {
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
    const Metadata put_metadata = put("pictures/a.webp", bytes, "image/webp");
    EXPECT_EQ(put_metadata.size_bytes, bytes.size());
    EXPECT_EQ(put_metadata.content_type, "image/webp");
    EXPECT_FALSE(put_metadata.etag.empty());
    const auto blob = run(store().get("pictures/a.webp"));
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->bytes, bytes);
    EXPECT_EQ(blob->offset, 0u);
    for (const Metadata& metadata : {blob->metadata, *run(store().stat("pictures/a.webp"))}) {
        EXPECT_EQ(metadata.size_bytes, bytes.size());
        EXPECT_EQ(metadata.content_type, "image/webp");
        EXPECT_EQ(metadata.etag, put_metadata.etag);
        EXPECT_EQ(metadata.modified_at, put_metadata.modified_at);
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
    EXPECT_NE(first.etag, second.etag);
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
    EXPECT_EQ(error_of(store().get("a", {.offset = UINT64_MAX})), ErrorCode::range_not_satisfiable);
}

TEST_P(BlobContract, AnEmptyBlobIsABlob) {
    put("empty", "");
    EXPECT_EQ(bytes_of("empty"), "");
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
