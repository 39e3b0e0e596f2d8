#include "gateway/gateway.h"

#include <future>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include "base/assert.h"
#include "base/error.h"
#include "gateway/core.h"
#include "gateway/shard.h"

namespace spaktok::gateway {

namespace asio = boost::asio;

namespace {
// Handshakes: a page opens one and reopens it with backoff; many people share an address.
constexpr http::RateLimit handshake_limit{"realtime", 120, 60};
}  // namespace

UserId Caller::user() const {
    if (!user_id) throw Error(ErrorCode::unauthenticated, "Please sign in first.");
    return *user_id;
}

Gateway::Gateway(GatewayOptions options, realtime::Engine& realtime, IoThreads& threads, const Clock& clock)
    : core_(std::make_shared<Core>(options, realtime, threads, clock)) {
    core_->begin();
}

Gateway::~Gateway() {
    SPAKTOK_ASSERT(core_->admission.connections() == 0);  // stop() first
}

void Gateway::add_request(std::string type, RequestHandler handler) {
    SPAKTOK_ASSERT(type != "ping" && type != "subscribe" && type != "unsubscribe");
    const bool is_new = core_->handlers.emplace(std::move(type), std::move(handler)).second;
    SPAKTOK_ASSERT(is_new);
}

void Gateway::add_topic(TopicKind kind) {
    SPAKTOK_ASSERT(!kind.prefix.empty() && kind.prefix.find(':') == std::string::npos && kind.authorize);
    std::string prefix = kind.prefix;
    const bool is_new = core_->kinds.emplace(std::move(prefix), std::move(kind)).second;
    SPAKTOK_ASSERT(is_new);
}

void Gateway::attach(http::Server& server) {
    server.add_upgrade("/api/v1/realtime", handshake_limit, [core = core_](auto&& upgrade) {
        core->accept(std::forward<decltype(upgrade)>(upgrade));
    });
}

void Gateway::accept(http::Upgrade upgrade) {
    core_->accept(std::move(upgrade));
}

asio::awaitable<realtime::Position> Gateway::publish(std::string topic, std::string event, json::Value data,
                                                     realtime::HistoryLimits history) {
    return publish_json(std::move(topic), event, boost::json::serialize(data), history);
}

asio::awaitable<realtime::Position> Gateway::publish_json(std::string topic, std::string_view event,
                                                          std::string_view data_json,
                                                          realtime::HistoryLimits history) {
    return core_->realtime.topics().publish(std::move(topic), encode_event_payload(event, data_json),
                                            history);
}

void Gateway::close_session(const std::string& session_id) {
    if (session_id.empty()) return;  // guests have none
    core_->admission.session_ended(session_id);
    for (std::size_t i = 0; i < core_->shards.size(); ++i) {
        asio::post(core_->threads.context(i),
                   [core = core_, i, session_id] { core->shards[i]->close_session(session_id); });
    }
}

std::int64_t Gateway::subscribers(std::string_view topic) const {
    return core_->counts->count(topic);
}

void Gateway::stop(std::chrono::milliseconds spread) {
    core_->admission.close();
    core_->counts->stop();
    std::vector<std::future<void>> stopping;
    for (std::size_t i = 0; i < core_->shards.size(); ++i) {
        stopping.push_back(
            asio::co_spawn(core_->threads.context(i), core_->shards[i]->stop(spread), asio::use_future));
    }
    for (auto& stopped : stopping)
        stopped.get();
}

}  // namespace spaktok::gateway
