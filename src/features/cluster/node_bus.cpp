#include "features/cluster/node_bus.h"

#include <unordered_map>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/task_group.h"

namespace spaktok::cluster {

namespace asio = boost::asio;

namespace {
constexpr const char* topic = "nodes";
// What a node finds again that lost its connection to the engine for a moment.
constexpr realtime::HistoryLimits history{.messages_max = 1'000, .age_max = std::chrono::minutes(1)};
}  // namespace

struct NodeBus::State : std::enable_shared_from_this<State> {
    explicit State(Options given) : options(std::move(given)), tasks(options.executor, "node bus") {}

    asio::awaitable<void> listen();
    void receive(const realtime::TopicMessage& message);
    asio::awaitable<void> handle(const Handler& handler, json::Object body, std::string type);
    asio::awaitable<void> end() {
        subscription.reset();
        co_await tasks.stop();
    }

    const Options options;
    TaskGroup tasks;
    std::unordered_map<std::string, Handler> handlers;
    std::unique_ptr<realtime::Subscription> subscription;
};

asio::awaitable<void> NodeBus::State::listen() {
    auto subscribed =
        co_await options.topics.subscribe(topic, std::nullopt, options.executor,
                                          [weak = weak_from_this()](const realtime::TopicMessage& message) {
                                              if (const auto self = weak.lock()) self->receive(message);
                                          });
    subscription = std::move(subscribed.subscription);
}

void NodeBus::State::receive(const realtime::TopicMessage& message) {
    if (!message.payload) return log::warning("messages of other nodes may have been lost");
    try {
        auto given = json::parse(*message.payload).as_object();
        if (given.at("node").as_string() == options.node_id) return;
        const std::string type(given.at("type").as_string());
        const auto handler = handlers.find(type);
        // Another version of the program may say what this one does not know.
        if (handler == handlers.end()) return;
        tasks.spawn(handle(handler->second, std::move(given.at("body").as_object()), type));
    } catch (const std::exception& error) {
        log::error("a node's message was not understood", {{"problem", error.what()}});
    }
}

asio::awaitable<void> NodeBus::State::handle(const Handler& handler, json::Object body, std::string type) {
    try {
        co_await handler(std::move(body));
    } catch (const Error& error) {
        log::error("a node's message was not followed",
                   {{"type", type}, {"error", error.message()}, {"detail", error.detail()}});
    }
}

NodeBus::NodeBus(Options options) : state_(std::make_shared<State>(std::move(options))) {}
NodeBus::~NodeBus() = default;

void NodeBus::on(std::string type, Handler handler) {
    state_->handlers[std::move(type)] = std::move(handler);
}

asio::awaitable<void> NodeBus::start() {
    auto state = state_;
    co_await asio::co_spawn(state->options.executor, state->listen(), asio::use_awaitable);
}

asio::awaitable<void> NodeBus::stop() {
    auto state = state_;
    co_await asio::co_spawn(state->options.executor, state->end(), asio::use_awaitable);
}

asio::awaitable<void> NodeBus::tell(std::string type, json::Object body) {
    const json::Object message{{"node", state_->options.node_id}, {"type", type}, {"body", std::move(body)}};
    co_await state_->options.topics.publish(topic, json::serialize(message), history);
}

}  // namespace spaktok::cluster
