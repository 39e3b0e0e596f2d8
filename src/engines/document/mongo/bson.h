// libbson's documents with an owner.
#pragma once

#include <utility>

#include <bson/bson.h>

namespace spaktok::document::mongo {

// Not a std::unique_ptr: libbson's type is aligned by its typedef, which a template does not see.
class Bson {
  public:
    Bson() = default;  // none
    explicit Bson(bson_t* owned) : document_(owned) {}
    Bson(Bson&& other) noexcept : document_(std::exchange(other.document_, nullptr)) {}
    Bson& operator=(Bson&& other) noexcept {
        std::swap(document_, other.document_);
        return *this;
    }
    ~Bson() { bson_destroy(document_); }

    bson_t* get() const { return document_; }
    bson_t& operator*() const { return *document_; }
    explicit operator bool() const { return document_ != nullptr; }

  private:
    bson_t* document_ = nullptr;
};

inline Bson make_bson() {
    return Bson(bson_new());
}

}  // namespace spaktok::document::mongo
