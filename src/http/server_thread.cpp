#include "http/server_thread.h"

#include "base/random.h"
#include "http/connection.h"
#include "http/response_writer.h"

namespace spaktok::http {

ServerThread::ServerThread(std::size_t thread_index, IoThreads& threads,
                           std::shared_ptr<const ServerOptions> server_options,
                           std::shared_ptr<const Dispatcher> server_dispatcher,
                           std::shared_ptr<ConnectionCount> server_count)
    : index(thread_index),
      options(std::move(server_options)),
      dispatcher(std::move(server_dispatcher)),
      count(std::move(server_count)),
      wheel(threads.wheel(index)),
      tasks(threads.context(index).get_executor(), "http connection"),
      scratch(scratch_bytes) {
    SystemRandom random;
    id_state_ = random.next();
}

std::string_view ServerThread::date() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (now != date_at_) {
        date_at_ = now;
        date_text_ = imf_fixdate(now);
    }
    return date_text_;
}

std::string ServerThread::make_request_id() {
    // SplitMix64 over a counter with a random start: no two the same in a process's life, and not to be
    // mistaken for order.
    std::uint64_t bits = id_state_ += 0x9E3779B97F4A7C15;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
    bits ^= bits >> 31;
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    std::string id(13, '0');
    for (auto& digit : id) {
        digit = digits[bits & 31];
        bits >>= 5;
    }
    return id;
}

void ServerThread::stop_idle() {
    stopping = true;
    for (auto* connection : connections)
        connection->stop_if_idle();
}

}  // namespace spaktok::http
