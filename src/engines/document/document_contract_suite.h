// The contract of the document port: one suite, run on every adapter. An adapter is plugged in by one line in
// all_adapters().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/describe.hpp>
#include <gtest/gtest.h>

#include "base/random.h"
#include "engines/document/collection.h"
#include "engines/document/mongo/test_server.h"
#include "engines/testing/testing.h"

namespace spaktok::document::contract {

using engines::testing::Adapter;

// A database of its own on the server that this process's tests share.
class MongoPlace final : public engines::testing::Place {
  public:
    std::string url() const override { return database_.url(); }

  private:
    mongo::TestDatabase database_;
};

std::vector<Adapter> all_adapters();

// A document with a field of every kind.
enum class Mood { calm, wild };
BOOST_DESCRIBE_ENUM(Mood, calm, wild)
struct Origin {
    std::string city;
    std::int64_t floor = 0;
    bool operator==(const Origin&) const = default;
};
BOOST_DESCRIBE_STRUCT(Origin, (), (city, floor))
struct Note {
    ObjectId _id;
    Uuid owner_id;
    std::string title;
    std::int64_t likes = 0;
    double weight = 0;
    bool is_pinned = false;
    Mood mood = Mood::calm;
    Timestamp written_at{};
    std::optional<Timestamp> deleted_at;
    std::optional<std::string> slug;
    std::vector<std::string> tags;
    std::vector<Uuid> readers;
    Origin origin;
    bool operator==(const Note&) const = default;
};
BOOST_DESCRIBE_STRUCT(Note, (),
                      (_id, owner_id, title, likes, weight, is_pinned, mood, written_at, deleted_at, slug,
                       tags, readers, origin))

class DocumentContract : public testing::TestWithParam<Adapter> {
  protected:
    void SetUp() override { reopen(); }
    void reopen();
    // Distinct in id, owner and title ("note 1", "note 2" …), all written at the same moment.
    Note make_note();
    Note insert_note(Note note);
    std::vector<std::string> titles(Filter filter, FindOptions options = {});
    Collection<Note>& notes() { return *notes_; }
    Store& store() { return *store_; }

    std::unique_ptr<engines::testing::Place> place_ = GetParam().make_place();
    std::unique_ptr<Store> store_;
    std::optional<Collection<Note>> notes_;
    SeededRandom random_{1};
    int made_ = 0;
};

class DocumentContractConcurrent : public DocumentContract {};

}  // namespace spaktok::document::contract
