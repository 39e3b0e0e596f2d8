// What the connections of one I/O thread share.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io_threads.h"
#include "base/task_group.h"
#include "base/timer_wheel.h"
#include "http/connection_count.h"
#include "http/dispatcher.h"
#include "http/server.h"

namespace spaktok::http {

class Connection;

// Lives on its thread, until its last connection has gone.
struct ServerThread {
    // Bytes of one read. Shared, because no connection needs it beyond the turn of the loop in which it
    // reads.
    static constexpr std::size_t scratch_bytes = 64 * 1024;

    ServerThread(std::size_t index, IoThreads& threads, std::shared_ptr<const ServerOptions> options,
                 std::shared_ptr<const Dispatcher> dispatcher, std::shared_ptr<ConnectionCount> count);

    std::string_view date();        // now, as the Date header has it
    std::string make_request_id();  // 13 characters: fits in a std::string without allocating
    void stop_idle();               // and every other one after its answer

    std::size_t index;
    std::shared_ptr<const ServerOptions> options;
    std::shared_ptr<const Dispatcher> dispatcher;
    std::shared_ptr<ConnectionCount> count;
    TimerWheel& wheel;
    TaskGroup tasks;
    std::vector<char> scratch;
    std::list<Connection*> connections;
    bool stopping = false;

  private:
    std::chrono::sys_seconds date_at_{};
    std::string date_text_;
    std::uint64_t id_state_;
};

}  // namespace spaktok::http
