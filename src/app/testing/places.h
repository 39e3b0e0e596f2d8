// For tests: where the four engines of a place are, embedded or scaled out.
#pragma once

#include <filesystem>
#include <string>

#include "engines/blob/s3/test_server.h"
#include "engines/document/mongo/test_server.h"
#include "engines/realtime/redis/test_server.h"
#include "engines/relational/postgres/test_server.h"
#include "engines/testing/testing.h"

namespace spaktok::app::testing {

using engines::testing::FolderPlace;

struct Urls {
    std::string relational;
    std::string document;
    std::string realtime;
    std::string blob;
};

class Embedded {
  public:
    Urls urls() const {
        const auto file = [this](const char* name) { return (place_.folder() / name).string(); };
        return {.relational = "sqlite:" + file("spaktok.db"),
                .document = "sqlite:" + file("documents.db"),
                .realtime = "local:" + file("realtime.db"),
                .blob = "file:" + file("media")};
    }
    const std::filesystem::path& folder() const { return place_.folder(); }

  private:
    FolderPlace place_{"", "place"};
};

class ScaleOut {
  public:
    Urls urls() const {
        return {.relational = schema_.url(),
                .document = database_.url(),
                .realtime = redis_.url(),
                .blob = bucket_.url("/a prefix")};
    }
    const realtime::redis::TestServer& redis() const { return redis_; }

  private:
    relational::postgres::TestSchema schema_;
    document::mongo::TestDatabase database_;
    realtime::redis::TestServer redis_;
    blob::s3::TestBucket bucket_;
};

}  // namespace spaktok::app::testing
