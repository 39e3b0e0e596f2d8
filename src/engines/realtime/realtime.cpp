#include "engines/realtime/realtime.h"

#include "base/error.h"
#include "engines/realtime/local/local_engine.h"
#include "engines/realtime/redis/redis_engine.h"

namespace spaktok::realtime {

std::unique_ptr<Engine> open(const std::string& url, OpenOptions options) {
    constexpr std::string_view scheme = "local:";
    if (url.starts_with(scheme)) {
        return std::make_unique<local::LocalEngine>(local::LocalEngine::Options{
            .path = url.substr(scheme.size()), .clock = options.clock, .random = options.random});
    }
    if (redis::is_address(url)) {
        return std::make_unique<redis::RedisEngine>(
            url,
            redis::RedisEngine::Options{.node_id = std::move(options.node_id), .random = options.random});
    }
    throw Error(ErrorCode::invalid_argument,
                "The realtime engine's URL must be local:FILE or redis://…, redis+sentinel://… or "
                "redis+cluster://….",
                {.field = "realtime"});
}

}  // namespace spaktok::realtime
