#include "app/operation_routes.h"

#include "app/documents.h"
#include "base/log.h"
#include "base/metrics.h"

namespace spaktok::app {

namespace asio = boost::asio;
using http::Method;
using http::Request;
using http::Response;

namespace {

// The page of /api/docs: its script and style are files of the web page's build, and read /api/openapi.yaml.
constexpr std::string_view docs_page = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spaktok API</title>
<link rel="stylesheet" href="/vendor/swagger-ui/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/api-docs.js"></script>
</body>
</html>
)";

struct Readiness {
    std::string status = "ready";
    json::Object engines;
};
BOOST_DESCRIBE_STRUCT(Readiness, (), (status, engines))

asio::awaitable<void> ask(Readiness& readiness, std::string engine, asio::awaitable<void> check) {
    bool ok = true;
    try {
        co_await std::move(check);
    } catch (const Error& error) {
        ok = false;
        log::warning("engine is not ready",
                     {{"engine", engine}, {"error", error.message()}, {"detail", error.detail()}});
    }
    readiness.engines[engine] = ok ? "ok" : "unavailable";
    if (!ok) readiness.status = "not_ready";
}

asio::awaitable<Response> get_readiness(Engines engines, bool stopping) {
    Readiness readiness;
    co_await ask(readiness, "relational", engines.relational.check());
    co_await ask(readiness, "document", engines.document.check());
    co_await ask(readiness, "realtime", engines.realtime.check());
    co_await ask(readiness, "blob", engines.blob.check());
    if (stopping) readiness.status = "not_ready";
    co_return Response::of(readiness, readiness.status == "ready" ? 200 : 503);
}

asio::awaitable<Response> answer(Response response) {
    co_return response;
}

http::Handler document(std::string_view text, std::string_view content_type) {
    return [text, content_type](Request&) { return answer(Response::text(std::string(text), content_type)); };
}

}  // namespace

void add_health_routes(http::Router& router, Engines engines, const std::atomic<bool>& stopping) {
    router.add(Method::get, "/healthz", {.operation_id = "get_health"},
               [](Request&) { return answer(Response::of(json::Object{{"status", "ok"}})); });
    router.add(Method::get, "/readyz", {.operation_id = "get_readiness"},
               [engines, &stopping](Request&) { return get_readiness(engines, stopping); });
}

void add_metrics_route(http::Router& router) {
    router.add(Method::get, "/metrics", {.operation_id = "get_metrics"}, [](Request&) {
        return answer(Response::text(metrics::expose(), "text/plain; version=0.0.4"));
    });
}

void add_document_routes(http::Router& router) {
    router.add(Method::get, "/api/openapi.yaml", {.operation_id = "get_openapi"},
               document(openapi_document(), "application/yaml"));
    router.add(Method::get, "/api/realtime.md", {.operation_id = "get_realtime_docs"},
               document(realtime_document(), "text/markdown; charset=utf-8"));
    router.add(Method::get, "/api/docs", {.operation_id = "get_api_docs"},
               document(docs_page, "text/html; charset=utf-8"));
}

}  // namespace spaktok::app
