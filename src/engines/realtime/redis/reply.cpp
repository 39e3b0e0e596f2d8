#include "engines/realtime/redis/reply.h"

#include <charconv>
#include <system_error>

#include "base/error.h"

namespace spaktok::realtime::redis {

namespace {

[[noreturn]] void unexpected(std::string detail) {
    throw Error(ErrorCode::internal, "Something went wrong on our side.",
                {.detail = "Redis answered something else: " + std::move(detail)});
}

template <class Number>
Number parse(std::string_view text) {
    Number number{};
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end) unexpected("no number");
    return number;
}

}  // namespace

bool Reply::is_text() const {
    return node_ != nullptr && (node_->type == REDIS_REPLY_STRING || node_->type == REDIS_REPLY_STATUS ||
                                node_->type == REDIS_REPLY_ERROR);
}

std::string_view Reply::text() const {
    if (!is_text()) unexpected("no text");
    return {node_->str, static_cast<std::size_t>(node_->len)};
}

std::int64_t Reply::integer() const {
    if (node_ == nullptr || node_->type != REDIS_REPLY_INTEGER) unexpected("no number");
    return node_->integer;
}

std::size_t Reply::size() const {
    if (!is_list()) unexpected("no list");
    return node_->elements;
}

Reply Reply::operator[](std::size_t index) const {
    if (index >= size()) unexpected("a short list");
    return {root_, node_->element[index]};
}

std::string encode(const std::vector<std::string>& words) {
    std::vector<const char*> pointers;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
        pointers.push_back(word.data());
        sizes.push_back(word.size());
    }
    char* formatted = nullptr;
    const int size =
        redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), pointers.data(), sizes.data());
    if (size < 0) throw std::bad_alloc();
    const std::unique_ptr<char, decltype(&redisFreeCommand)> owned(formatted, redisFreeCommand);
    return {formatted, static_cast<std::size_t>(size)};
}

std::int64_t to_integer(std::string_view text) {
    return parse<std::int64_t>(text);
}

double to_double(std::string_view text) {
    return parse<double>(text);
}

std::string to_text(double number) {
    char text[64];
    const auto [end, error] = std::to_chars(text, text + sizeof text, number);
    if (error != std::errc{}) unexpected("a number without end");
    return {text, end};
}

}  // namespace spaktok::realtime::redis
