#include "engines/blob/listing.h"

#include "base/assert.h"
#include "engines/blob/blob_store.h"

namespace spaktok::blob {

Lister& lister_of(BlobStore& store) {
    auto* lister = dynamic_cast<Lister*>(&store);
    SPAKTOK_ASSERT(lister != nullptr);
    return *lister;
}

}  // namespace spaktok::blob
