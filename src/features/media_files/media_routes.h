// GET /media/{key...}: what the blob store holds, cached by browsers for ever.
#pragma once

#include "engines/blob/blob_store.h"
#include "http/router.h"

namespace spaktok::media_files {

// Above the page's own: a grid of live streams fetches dozens of thumbnails at once.
inline constexpr http::RateLimit media_limit{"media", 6000, 1500};

// `blobs` outlives the router. Only keys below `pictures/` and `thumbnails/` are public.
void add_routes(http::Router& router, blob::BlobStore& blobs);

}  // namespace spaktok::media_files
