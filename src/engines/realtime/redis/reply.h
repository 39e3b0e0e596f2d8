// What a Redis server answers, as hiredis reads it (RESP2: https://redis.io/docs/reference/protocol-spec/).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/hiredis.h>

namespace spaktok::realtime::redis {

// A value that shares what it was read from with the others of the same answer. Asked for what it is not, it
// throws Error{internal}.
class Reply {
  public:
    Reply() = default;
    explicit Reply(redisReply* owned) : root_(owned, freeReplyObject), node_(owned) {}

    bool is_nil() const { return node_ == nullptr || node_->type == REDIS_REPLY_NIL; }
    bool is_error() const { return node_ != nullptr && node_->type == REDIS_REPLY_ERROR; }
    bool is_text() const;
    bool is_list() const { return node_ != nullptr && node_->type == REDIS_REPLY_ARRAY; }
    std::string_view text() const;  // of a string, a status or an error
    std::int64_t integer() const;
    std::size_t size() const;  // of an array
    Reply operator[](std::size_t index) const;

  private:
    Reply(std::shared_ptr<redisReply> root, const redisReply* node) : root_(std::move(root)), node_(node) {}

    std::shared_ptr<redisReply> root_;
    const redisReply* node_ = nullptr;
};

// The command as it goes over the wire.
std::string encode(const std::vector<std::string>& words);

// A number that the server wrote as text. Throw Error{internal} where it is none.
std::int64_t to_integer(std::string_view text);
double to_double(std::string_view text);
// So that to_double gives the same number again.
std::string to_text(double number);

}  // namespace spaktok::realtime::redis
