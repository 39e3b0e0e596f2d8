// What is S3's own: parts, refusals, and a server that goes away in all the ways that servers do. The port's
// contract is in blob_contract_suite.cpp.
#include "engines/blob/s3/s3_store.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/metrics.h"
#include "engines/blob/s3/answers.h"
#include "engines/blob/s3/scripted_server.h"
#include "engines/blob/s3/test_server.h"
#include "engines/testing/testing.h"

namespace spaktok::blob::s3 {
namespace {

using engines::testing::error_of;
using engines::testing::run;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t mebibyte = 1024 * 1024;
// An awaitable's error with all it says; an empty one where there is none.
template <class T>
Error failure_of(boost::asio::awaitable<T> work) {
    try {
        run(std::move(work));
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::internal, "it did not fail");
}

Address address_of(const std::string& url) {
    return parse_address(url, [](const std::string&) { return std::nullopt; });
}

// Short limits, so that a test sees them pass.
S3Store::Options hasty() {
    return {.client = {.connections = 4,
                       .connect_timeout = milliseconds(500),
                       .silence_max = milliseconds(1'000),
                       .patience = milliseconds(600)}};
}

std::string refusal(const std::string& code) {
    return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>why</Message></Error>";
}

// ---- A real server

TEST(S3Store, FindsABucketByTheHostsName) {
    const TestBucket bucket;
    auto url = bucket.url("", "&style=virtual");
    url.replace(url.find("127.0.0.1"), 9, "s3.localhost");
    S3Store store(address_of(url), hasty());
    run(store.put("a/b", "bytes", "text/plain"));
    EXPECT_EQ(run(store.get("a/b", {}))->bytes, "bytes");
    EXPECT_NO_THROW(run(store.check()));
    EXPECT_EQ(fetch(*store.presigned_get("a/b", std::chrono::minutes(1))).body, "bytes");
}

TEST(S3Store, BlobsOfTwoPrefixesAreApart) {
    const TestBucket bucket;
    S3Store one(address_of(bucket.url("/one")), hasty());
    S3Store two(address_of(bucket.url("/two")), hasty());
    run(one.put("a", "of one", "text/plain"));
    EXPECT_FALSE(run(two.stat("a")));
    EXPECT_EQ(run(S3Store(address_of(bucket.url("")), hasty()).get("one/a", {}))->bytes, "of one");
}

TEST(S3Store, GoesInPartsBeyondTheSizeOfOne) {
    const TestBucket bucket;
    auto options = hasty();
    options.part_bytes = 5 * mebibyte;  // the least that S3 takes
    S3Store store(address_of(bucket.url()), options);
    const std::string bytes(options.part_bytes + 1, 'x');
    EXPECT_THAT(run(store.put("one", bytes.substr(1), "text/plain")), testing::Not(HasSubstr("-")));
    EXPECT_THAT(run(store.put("two", bytes, "text/plain")), EndsWith("-2"));
    EXPECT_TRUE(run(store.get("two", {}))->bytes == bytes);
    EXPECT_EQ(run(store.get("two", {.offset = options.part_bytes}))->bytes, "x");
}

TEST(S3Store, TakesAndGivesBlobsUpToTheLimit) {
    const TestBucket bucket;
    auto options = hasty();
    options.blob_bytes_max = 10;
    S3Store narrow(address_of(bucket.url()), options);
    S3Store wide(address_of(bucket.url()), hasty());
    run(narrow.put("a", "0123456789", "text/plain"));
    EXPECT_EQ(run(narrow.get("a", {}))->bytes, "0123456789");
    EXPECT_EQ(error_of(narrow.put("a", "0123456789+", "text/plain")), ErrorCode::payload_too_large);
    run(wide.put("a", "0123456789+", "text/plain"));
    EXPECT_EQ(error_of(narrow.get("a", {})), ErrorCode::payload_too_large);
    EXPECT_EQ(run(narrow.get("a", {.offset = 1}))->bytes, "123456789+");
}

TEST(S3Store, SaysOnlyToTheLogWhyItIsRefused) {
    const TestBucket bucket;
    auto url = bucket.url();
    url.replace(url.find("secret%2Bkey"), 12, "other");
    S3Store stranger(address_of(url), hasty());
    S3Store nowhere(address_of([&] {
                        auto without = bucket.url();
                        return without.replace(without.find(bucket.name()), bucket.name().size(), "missing");
                    }()),
                    hasty());
    for (S3Store* store : {&stranger, &nowhere}) {
        const std::string code = store == &stranger ? "SignatureDoesNotMatch" : "NoSuchBucket";
        for (const auto& error : {failure_of(store->put("a", "bytes", "text/plain")),
                                  failure_of(store->get("a", {})), failure_of(store->check())}) {
            EXPECT_EQ(error.code(), ErrorCode::unavailable) << code;
            EXPECT_THAT(error.message(), testing::Not(HasSubstr(code)));
        }
        EXPECT_THAT(failure_of(store->get("a", {})).detail(), HasSubstr(code));
    }
}

TEST(S3Store, CountsItsRequests) {
    const TestBucket bucket;
    S3Store store(address_of(bucket.url()), hasty());
    run(store.put("a", "bytes", "text/plain"));
    const auto text = metrics::expose();
    EXPECT_THAT(text, HasSubstr("spaktok_s3_requests_total{operation=\"put\"}"));
    EXPECT_THAT(text, HasSubstr("spaktok_s3_request_seconds_count{operation=\"put\"}"));
    EXPECT_THAT(text, HasSubstr("spaktok_s3_active 0\n"));
    EXPECT_THAT(text, HasSubstr("spaktok_s3_waiting 0\n"));
}

// ---- What a server says seldom

constexpr const char* a_part = "200 OK\r\nETag: \"part\"\r\n\r\n";

TEST(S3Store, TriesAgainWhatTheServerCouldNotDo) {
    std::atomic<int> answered = 0;
    ScriptedServer server([&](const std::string&) -> std::string {
        if (++answered < 3) return "503 Slow Down\r\n\r\n" + refusal("SlowDown");
        return "200 OK\r\nETag: \"tag\"\r\n\r\n";
    });
    S3Store store(address_of(server.url()), hasty());
    EXPECT_EQ(run(store.put("a", "bytes", "text/plain")), "tag");
    EXPECT_EQ(answered, 3);
}

TEST(S3Store, TriesAgainWhereTheConnectionEndsInTheMiddleOfAnAnswer) {
    std::atomic<int> answered = 0;
    ScriptedServer server([&](const std::string&) {
        ScriptedServer::Reply reply("200 OK\r\nETag: \"tag\"\r\n\r\nbytes");
        reply.is_cut = ++answered == 1;
        return reply;
    });
    S3Store store(address_of(server.url()), hasty());
    EXPECT_EQ(run(store.get("a", {}))->bytes, "bytes");
    EXPECT_EQ(answered, 2);
}

TEST(S3Store, KeepsItsConnectionsOpen) {
    ScriptedServer server([](const std::string&) { return a_part; });
    S3Store store(address_of(server.url()), hasty());
    for (int i = 0; i < 10; ++i)
        run(store.put("a", "bytes", "text/plain"));
    EXPECT_EQ(server.requests().size(), 10U);
    EXPECT_EQ(server.connections(), 1U);
}

TEST(S3Store, GivesUpOnAServerThatCanNeverDoIt) {
    ScriptedServer server(
        [](const std::string&) { return "500 Internal Error\r\n\r\n" + refusal("InternalError"); });
    S3Store store(address_of(server.url()), hasty());
    const auto begun = steady_clock::now();
    const auto error = failure_of(store.put("a", "bytes", "text/plain"));
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_TRUE(error.retry_after().has_value());
    EXPECT_THAT(error.detail(), HasSubstr("InternalError"));
    EXPECT_LT(steady_clock::now() - begun, milliseconds(10'000));
    EXPECT_GT(server.requests().size(), 1U);
}

TEST(S3Store, DoesNotTryAgainWhatIsForbidden) {
    ScriptedServer server(
        [](const std::string&) { return "403 Forbidden\r\n\r\n" + refusal("AccessDenied"); });
    S3Store store(address_of(server.url()), hasty());
    EXPECT_THAT(failure_of(store.put("a", "bytes", "text/plain")).detail(), HasSubstr("AccessDenied why"));
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST(S3Store, AnswersThatAreNoneOfS3sAreAnOutage) {
    std::string answer;
    ScriptedServer server([&](const std::string&) { return answer; });
    S3Store store(address_of(server.url()), hasty());
    for (const std::string& each :
         {std::string("200 OK\r\n\r\nno etag"), std::string("301 Moved\r\nLocation: http://else/\r\n\r\n"),
          std::string("404 Not Found\r\n\r\n<html>a proxy's page"),
          "200 OK\r\nX-Long: " + std::string(40'000, 'x') + "\r\n\r\n"}) {
        answer = each;
        EXPECT_EQ(error_of(store.get("a", {})), ErrorCode::unavailable) << each.substr(0, 30);
    }
}

// Answers to a put in parts; `complete` and `part` as given.
ScriptedServer::Script parts_server(std::string part, std::string complete, std::string list = "<Uploads/>") {
    return [=](const std::string& line) -> std::string {
        if (line.starts_with("GET")) return "200 OK\r\n\r\n" + list;
        if (line.starts_with("DELETE")) return "204 No Content\r\n\r\n";
        if (line.starts_with("PUT")) return part;
        if (line.find("uploads=") != std::string::npos)
            return "200 OK\r\n\r\n<InitiateMultipartUploadResult><UploadId>the id</UploadId>"
                   "</InitiateMultipartUploadResult>";
        return complete;
    };
}

constexpr const char* a_whole =
    "200 OK\r\n\r\n<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>";

S3Store::Options small_parts() {
    auto options = hasty();
    options.part_bytes = 4;
    return options;
}

TEST(S3Store, PutsEveryPartOnceAndThenCompletesThem) {
    ScriptedServer server(parts_server(a_part, a_whole));
    S3Store store(address_of(server.url()), small_parts());
    EXPECT_EQ(run(store.put("a", "0123456789", "text/plain")), "whole");
    auto requests = server.requests();
    ASSERT_EQ(requests.size(), 6U);
    std::sort(requests.begin() + 2, requests.begin() + 5);  // several at once
    EXPECT_THAT(requests, ElementsAre("GET /bucket?prefix=&uploads=", "POST /bucket/a?uploads=",
                                      "PUT /bucket/a?partNumber=1&uploadId=the%20id",
                                      "PUT /bucket/a?partNumber=2&uploadId=the%20id",
                                      "PUT /bucket/a?partNumber=3&uploadId=the%20id",
                                      "POST /bucket/a?uploadId=the%20id"));
}

TEST(S3Store, PartsThatFailAreGivenUpAndRemoved) {
    const std::string denied = "403 Forbidden\r\n\r\n" + refusal("AccessDenied");
    const std::string late = "200 OK\r\n\r\n" + refusal("InternalError");  // after the status was sent
    for (const auto& [part, complete] :
         {std::pair(denied, std::string(a_whole)), std::pair(std::string(a_part), late)}) {
        ScriptedServer server(parts_server(part, complete));
        S3Store store(address_of(server.url()), small_parts());
        EXPECT_EQ(error_of(store.put("a", "0123456789", "text/plain")), ErrorCode::unavailable);
        EXPECT_EQ(server.requests().back(), "DELETE /bucket/a?uploadId=the%20id");
    }
}

TEST(S3Store, EndsUploadsThatWereAbandonedLongAgo) {
    const auto now = std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
    const auto upload = [&](const std::string& id, std::chrono::hours age) {
        return "<Upload><Key>media/old file</Key><UploadId>" + id + "</UploadId><Initiated>" +
               to_rfc3339(now - age) + "</Initiated></Upload>";
    };
    const auto list = "<ListMultipartUploadsResult>" + upload("old", std::chrono::hours(25)) +
                      upload("new", std::chrono::hours(23)) + "</ListMultipartUploadsResult>";
    ScriptedServer server(parts_server(a_part, a_whole, list));
    S3Store store(address_of(server.url()), small_parts());
    run(store.put("a", "0123456789", "text/plain"));
    run(store.put("b", "0123456789", "text/plain"));
    std::vector<std::string> removed;
    for (const auto& line : server.requests()) {
        if (line.starts_with("DELETE")) removed.push_back(line);
    }
    EXPECT_THAT(removed, ElementsAre("DELETE /bucket/media/old%20file?uploadId=old"));
}

TEST(S3Store, RefusesWhoFindsTheQueueFull) {
    std::promise<void> release;
    const auto released = release.get_future().share();
    std::atomic<int> begun = 0;
    ScriptedServer server([&](const std::string&) -> std::string {
        ++begun;
        released.wait();
        return a_part;
    });
    auto options = hasty();
    options.client = {.connections = 1, .waiting_max = 1, .silence_max = std::chrono::seconds(20)};
    S3Store store(address_of(server.url()), options);
    const auto put = [&] {
        return std::async(std::launch::async, [&] { return run(store.put("a", "bytes", "text/plain")); });
    };
    auto first = put();
    EXPECT_TRUE(engines::testing::eventually([&] { return begun == 1; }));
    auto second = put();
    EXPECT_TRUE(engines::testing::eventually(
        [] { return metrics::expose().find("spaktok_s3_waiting 1\n") != std::string::npos; }));
    const auto error = failure_of(store.put("a", "bytes", "text/plain"));
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_EQ(error.reason(), "busy");
    release.set_value();
    EXPECT_EQ(first.get(), "part");
    EXPECT_EQ(second.get(), "part");
}

TEST(S3Store, RefusesWhoWaitsForTooLong) {
    std::promise<void> release;
    const auto released = release.get_future().share();
    ScriptedServer server([&](const std::string&) -> std::string {
        released.wait();
        return a_part;
    });
    auto options = hasty();
    options.client = {
        .connections = 1, .wait_max = milliseconds(100), .silence_max = std::chrono::seconds(20)};
    S3Store store(address_of(server.url()), options);
    auto first = std::async(std::launch::async, [&] { return run(store.put("a", "bytes", "text/plain")); });
    EXPECT_TRUE(engines::testing::eventually([&] { return server.requests().size() == 1; }));
    EXPECT_EQ(failure_of(store.put("a", "bytes", "text/plain")).reason(), "busy");
    release.set_value();
    EXPECT_EQ(first.get(), "part");
}

// ---- Servers that go away

class S3Outage : public testing::Test {
  protected:
    bool comes_back() {
        const auto deadline = steady_clock::now() + std::chrono::seconds(30);
        while (steady_clock::now() < deadline) {
            try {
                run(store_.check());
                return true;
            } catch (const Error&) {
                std::this_thread::sleep_for(milliseconds(20));
            }
        }
        return false;
    }
    ErrorCode put_fails() { return *error_of(store_.put("a", "bytes", "text/plain")); }

    TestServer server_;
    TestBucket bucket_{server_};
    S3Store store_{address_of(bucket_.url()), hasty()};
};

class S3OutageConcurrent : public S3Outage {};

TEST_F(S3OutageConcurrent, KeepsEveryAcknowledgedBlobThroughKillsOfTheServer) {
    std::atomic<bool> is_writing = true;
    std::vector<std::vector<std::string>> acknowledged(4);
    std::vector<std::thread> writers;
    for (std::size_t writer = 0; writer < acknowledged.size(); ++writer) {
        writers.emplace_back([&, writer] {
            for (std::size_t number = writer; is_writing; number += acknowledged.size()) {
                const auto key = "blobs/" + std::to_string(number);
                try {
                    run(store_.put(key, key, "text/plain"));
                    acknowledged[writer].push_back(key);
                } catch (const Error& error) {
                    EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.detail();
                    std::this_thread::sleep_for(milliseconds(5));
                }
            }
        });
    }
    for (int kills = 0; kills < 3; ++kills) {
        std::this_thread::sleep_for(milliseconds(300));
        server_.kill();
        server_.start();
        EXPECT_TRUE(comes_back());
    }
    is_writing = false;
    for (auto& writer : writers)
        writer.join();
    std::size_t blobs = 0;
    for (const auto& keys : acknowledged) {
        blobs += keys.size();
        for (const auto& key : keys)
            ASSERT_EQ(run(store_.get(key, {}))->bytes, key);
    }
    EXPECT_GT(blobs, 20U);
}

TEST_F(S3Outage, RefusesAtOnceWhileTheServerIsGone) {
    server_.kill();
    EXPECT_EQ(put_fails(), ErrorCode::unavailable);
    const auto begun = steady_clock::now();
    const auto error = failure_of(store_.get("a", {}));
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_TRUE(error.retry_after().has_value());
    EXPECT_LT(steady_clock::now() - begun, milliseconds(2'000));
    server_.start();
    EXPECT_TRUE(comes_back());
}

TEST_F(S3Outage, GivesUpOnAServerThatIsSilentAndComesBackToIt) {
    run(store_.put("a", "bytes", "text/plain"));
    server_.pause();
    const auto begun = steady_clock::now();
    // More than goes into the sockets' buffers, which take it for a server.
    EXPECT_EQ(error_of(store_.put("a", std::string(8 * mebibyte, 'x'), "text/plain")),
              ErrorCode::unavailable);
    EXPECT_EQ(error_of(store_.get("a", {})), ErrorCode::unavailable);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(10'000));
    server_.resume();
    EXPECT_TRUE(comes_back());
    EXPECT_EQ(run(store_.get("a", {}))->bytes, "bytes");
}

TEST_F(S3Outage, IsOutlastedByARequestThatHasPatience) {
    auto options = hasty();
    options.client.patience = milliseconds(30'000);
    S3Store patient(address_of(bucket_.url()), options);
    server_.kill();
    auto put = std::async(std::launch::async, [&] { return run(patient.put("a", "bytes", "text/plain")); });
    EXPECT_NE(put.wait_for(milliseconds(300)), std::future_status::ready);
    server_.start();
    EXPECT_FALSE(put.get().empty());
    EXPECT_EQ(run(patient.get("a", {}))->bytes, "bytes");
}

TEST(S3Url, ThatLeadsNowhereIsUnavailable) {
    S3Store store(address_of("s3://id:secret@bucket?endpoint=http://127.0.0.1:1"), hasty());
    EXPECT_EQ(error_of(store.check()), ErrorCode::unavailable);
}

}  // namespace
}  // namespace spaktok::blob::s3
