// One client's connection: a coroutine that reads requests, has them answered and writes the answers, in
// order.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/timer_wheel.h"
#include "http/input.h"
#include "http/output.h"
#include "http/request_reader.h"
#include "http/server_thread.h"

namespace spaktok::http {

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
    struct Exchange;

    // Reading.
    Input::Received receive();
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
    Input input_;
    Output output_;
    Phase phase_ = Phase::idle;
    bool open_ = true;      // another request may come
    bool broken_ = false;   // nothing can be sent any more
    bool waiting_ = false;  // for the socket, so that the deadline may cancel it
    bool expired_ = false;
    bool cut_short_ = false;  // the client left within a request
    bool lingers_ = false;    // the client may still be sending: see linger()
    bool upgraded_ = false;
    bool is_first_ = true;  // no request was read yet
    int turns_left_ = 0;    // requests until other connections get their turn
};

}  // namespace spaktok::http
