// Routes for operators and client developers: health, readiness, metrics, and the API's own documents.
#pragma once

#include <atomic>
#include <functional>

#include "engines/blob/blob_store.h"
#include "engines/document/collection.h"
#include "engines/realtime/realtime.h"
#include "engines/relational/database.h"
#include "http/router.h"

namespace spaktok::app {

struct Engines {
    relational::Database& relational;
    document::Store& document;
    realtime::Engine& realtime;
    blob::BlobStore& blob;
};

// /healthz, /readyz. `stopping` makes /readyz answer 503, so that a proxy sends nobody here any more.
void add_health_routes(http::Router& router, Engines engines, const std::atomic<bool>& stopping);
// /metrics, on a listener of its own.
void add_metrics_route(http::Router& router);
// /api/openapi.yaml, /api/realtime.md, /api/docs.
void add_document_routes(http::Router& router);

}  // namespace spaktok::app
