// Something that happens once, and coroutines of the same thread that wait for it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace spaktok {

class Event {
  public:
    explicit Event(boost::asio::io_context& context)
        : timer_(context, boost::asio::steady_timer::time_point::max()) {}

    void set() {
        is_set_ = true;
        timer_.cancel();
    }
    bool is_set() const { return is_set_; }

    boost::asio::awaitable<void> wait() {
        while (!is_set_) {
            boost::system::error_code cancelled;
            co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
        }
    }

  private:
    boost::asio::steady_timer timer_;
    bool is_set_ = false;
};

}  // namespace spaktok
