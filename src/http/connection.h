// One client's connection: a coroutine that reads requests, has them answered and writes the answers, in
// order.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/io_threads.h"
#include "base/metrics.h"
#include "base/task_group.h"
#include "base/timer_wheel.h"
#include "http/dispatcher.h"
#include "http/output.h"
#include "http/request_reader.h"
#include "http/server.h"

namespace spaktok::http {

class Connection;

// How many connections there are, for the limit and for `stop`. Thread-safe.
class ConnectionCount {
  public:
    ConnectionCount();
    // False at the limit.
    bool enter(std::size_t connections_max);
    void leave();
    bool wait_until_none(std::chrono::milliseconds limit);

  private:
    std::mutex mutex_;
    std::condition_variable none_;
    std::size_t count_ = 0;
    metrics::Gauge gauge_;
};

// What the connections of one I/O thread share. Lives on that thread, until its last connection has gone.
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

// Owned by its coroutine, on its I/O thread. Ends by itself when the client leaves, breaks a limit or a
// deadline, or the server stops.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(boost::asio::ip::tcp::socket socket, std::string peer, std::shared_ptr<ServerThread> thread);
    ~Connection();

    static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> self);
    void stop_if_idle();

  private:
    enum class Phase { idle, head, body, handling, writing, lingering };
    enum class Received { data, nothing, closed };
    struct Exchange;

    // Reading.
    Received receive();
    std::string_view pending() const;
    void consume(std::size_t bytes);
    void keep_unread();
    bool advance(RequestReader& reader, bool to_the_end);
    boost::asio::awaitable<void> read_more(RequestReader& reader, Phase phase);
    boost::asio::awaitable<void> wait_for_request();
    bool is_drainable(const RequestReader& reader) const;
    void invite_body(const RequestReader& reader);

    // Answering.
    boost::asio::awaitable<void> exchange();
    boost::asio::awaitable<Response> answer(Exchange& exchange);
    void identify(Request& request);
    void hand_over(Exchange& exchange);
    void respond(Exchange& exchange, Response response, std::string_view detail);
    void respond_unreadable(Exchange& exchange);

    // Writing.
    bool write_now();
    void write_soon();
    boost::asio::awaitable<void> finish_writing();
    boost::asio::awaitable<void> linger();
    void give_up();

    boost::asio::ip::tcp::socket socket_;
    std::string peer_;
    std::shared_ptr<ServerThread> thread_;
    std::list<Connection*>::iterator place_;
    TimerWheel::Deadline deadline_;
    Output output_;
    std::string unread_;  // what was read and not used, where it has to outlive a turn of the loop
    std::size_t unread_begin_ = 0;
    std::string_view fresh_;  // the same, still in the thread's scratch buffer
    Phase phase_ = Phase::idle;
    bool open_ = true;      // another request may come
    bool broken_ = false;   // nothing can be sent any more
    bool drained_ = true;   // the last read took all there was
    bool waiting_ = false;  // for the socket, so that the deadline may cancel it
    bool expired_ = false;
    bool cut_short_ = false;  // the client left within a request
    bool lingers_ = false;    // the client may still be sending: see linger()
    bool upgraded_ = false;
    bool is_first_ = true;  // no request was read yet
    int turns_left_ = 0;    // requests until other connections get their turn
};

}  // namespace spaktok::http
