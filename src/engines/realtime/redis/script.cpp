#include "engines/realtime/redis/script.h"

#include <array>
#include <cstdint>

#include <openssl/sha.h>

#include "base/hex.h"

namespace spaktok::realtime::redis {

namespace {

std::string sha1_of(std::string_view text) {
    std::array<std::uint8_t, SHA_DIGEST_LENGTH> digest;
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return hex::encode(digest);
}

// The stream's entries are `<milliseconds>-<offset>` and have no gap between their offsets, so that so many
// of the newest are exactly what came after an offset. `ms` never goes back, or the entries' order would
// break. KEYS: stream, state. ARGV 1: the server's run id, 2: an epoch that was never used. After a restart
// the state may be older than what was told to subscribers, hence the run id.
#define SPAKTOK_TOPIC_STATE \
    R"(
local state = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'offset', 'ms', 'age')
local epoch, offset, last_ms, age = state[2], tonumber(state[3] or 0), tonumber(state[4] or 0), tonumber(state[5] or 0)
if state[1] ~= ARGV[1] then
  epoch, offset, last_ms, age = ARGV[2], 0, 0, 0
  redis.call('HSET', KEYS[2], 'run', ARGV[1], 'epoch', epoch, 'offset', 0, 'ms', 0, 'age', 0)
  redis.call('DEL', KEYS[1])
end
local time = redis.call('TIME')
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000), last_ms)
local function text(number) return string.format('%.0f', number) end
)"

}  // namespace

Script::Script(std::string name, std::string_view text)
    : name_(std::move(name)), text_(text), sha1_(sha1_of(text)) {}

namespace scripts {

// ARGV 3: messages kept, 4: their age in ms, 5: how long an idle topic is remembered in ms, 6: PUBLISH or
// SPUBLISH, 7: channel, 8: payload. Answers {epoch, offset}.
const Script publish("publish", SPAKTOK_TOPIC_STATE R"(
offset = offset + 1
redis.call('HSET', KEYS[2], 'offset', text(offset), 'ms', text(now), 'age', ARGV[4])
redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[3], text(now) .. '-' .. text(offset), 'm', ARGV[8])
redis.call('XTRIM', KEYS[1], 'MINID', text(now - tonumber(ARGV[4]) + 1))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], text(math.max(tonumber(ARGV[4]), tonumber(ARGV[5]))))
redis.call(ARGV[6], ARGV[7], epoch .. '\n' .. text(offset) .. '\n' .. ARGV[8])
return {epoch, text(offset)}
)");

// ARGV 3: how long an idle topic is remembered in ms, 4: PUBLISH or SPUBLISH, 5: the reader's own channel, 6:
// what to say there: on a connection that listens to both, all before it is in the answer, and all after it
// is not. 7, 8: the epoch and the offset to read from; none where nothing is to be read. Answers {epoch,
// offset, complete, entries from the newest}.
const Script read_topic("read_topic", SPAKTOK_TOPIC_STATE R"(
if age > 0 then redis.call('XTRIM', KEYS[1], 'MINID', text(now - age + 1)) end
redis.call('PEXPIRE', KEYS[2], text(math.max(age, tonumber(ARGV[3]))))
local complete, entries = 0, {}
if #ARGV == 6 then
  complete = 1
elseif ARGV[7] == epoch then
  local missed = offset - tonumber(ARGV[8])
  if missed >= 0 and missed <= redis.call('XLEN', KEYS[1]) then
    complete = 1
    if missed > 0 then entries = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', text(missed)) end
  end
end
redis.call(ARGV[4], ARGV[5], ARGV[6])
return {epoch, text(offset), complete, entries}
)");

// KEYS: set. ARGV: member, members at the most. Answers 0 where there is no room.
const Script set_add("set_add", R"(
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
return redis.call('SADD', KEYS[1], ARGV[1])
)");

// KEYS: value. ARGV: its life in ms. Only ever makes it longer; what has no end keeps none.
const Script touch("touch", R"(
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[1], 'GT')
return 1
)");

// KEYS: counter. ARGV: what to add, the end of 64 bits that it may reach, life in ms or ''. Answers with
// text, as Lua's numbers hold 53 bits.
const Script count("count", R"(
local is_new = redis.call('EXISTS', KEYS[1]) == 0
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then
  if not string.find(sum.err, 'overflow', 1, true) then return sum end
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
end
if is_new and ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return redis.call('GET', KEYS[1])
)");

// KEYS: board, its events. ARGV: member, what to add, event, how many events are remembered, for how long in
// ms. Answers the score, or 0 where it would be endless.
const Script rank("rank", R"(
local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
local after = before + tonumber(ARGV[2])
if after == math.huge or after == -math.huge then return 0 end
local newest = redis.call('ZRANGE', KEYS[2], 0, 0, 'REV', 'WITHSCORES')
if redis.call('ZADD', KEYS[2], 'NX', tonumber(newest[2] or 0) + 1, ARGV[3]) == 1 then
  redis.call('ZADD', KEYS[1], string.format('%.17g', after), ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))
else
  after = before
end
local left = redis.call('PTTL', KEYS[1])
redis.call('PEXPIRE', KEYS[2], left >= 0 and math.min(left, tonumber(ARGV[5])) or ARGV[5])
return string.format('%.17g', after)
)");

// KEYS: board, its events. ARGV: life in ms. The events are forgotten with the board at the latest.
const Script expire_board("expire_board", R"(
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1], 'LT')
return 1
)");

// KEYS: this node's count, the place's nodes. ARGV: node, count, life in ms.
const Script report("report", R"(
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  redis.call('SADD', KEYS[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
)");

// KEYS: the place's nodes. ARGV: what stands before a node's name in the key of its count. Answers with text.
const Script total("total", R"(
local sum = 0
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local count = redis.call('GET', ARGV[1] .. node)
  if count then sum = sum + count else redis.call('SREM', KEYS[1], node) end
end
return string.format('%.0f', sum)
)");

std::span<const Script* const> all() {
    static constexpr std::array<const Script*, 9> scripts{&publish, &read_topic,   &set_add, &touch, &count,
                                                          &rank,    &expire_board, &report,  &total};
    return scripts;
}

}  // namespace scripts

}  // namespace spaktok::realtime::redis
