// The contract of the blob port: one suite, run on every adapter. An adapter is plugged in by one line in
// all_adapters().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engines/blob/blob_store.h"
#include "engines/blob/s3/test_server.h"
#include "engines/testing/testing.h"

namespace spaktok::blob::contract {

using engines::testing::Adapter;

// A bucket of its own on the server that this process's tests share; blobs below a prefix.
class S3Place final : public engines::testing::Place {
  public:
    std::string url() const override { return bucket_.url("/a prefix/of blobs"); }

  private:
    s3::TestBucket bucket_;
};

std::vector<Adapter> all_adapters();

class BlobContract : public testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override { reopen(); }
    void reopen();
    // The etag.
    std::string put(std::string key, std::string bytes, std::string content_type = "text/plain");
    // The bytes; "none" where there is no such blob.
    std::string bytes_of(std::string key, Range range = {});
    BlobStore& store() { return *store_; }

    std::unique_ptr<engines::testing::Place> place_ = GetParam().make_place();
    std::unique_ptr<BlobStore> store_;
};

class BlobContractConcurrent : public BlobContract {};

}  // namespace spaktok::blob::contract
