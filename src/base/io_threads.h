// The program's I/O threads: as many as asked, each with one single-threaded io_context. A connection stays
// on its thread for life, so its state needs no lock; what crosses threads is posted.
#pragma once

#include <cstddef>
#include <memory>

#include <boost/asio/io_context.hpp>

namespace spaktok {

class TimerWheel;

class IoThreads {
  public:
    explicit IoThreads(std::size_t threads);
    ~IoThreads();  // stop() and join
    IoThreads(const IoThreads&) = delete;
    IoThreads& operator=(const IoThreads&) = delete;

    void start();
    // Lets the handler that runs on each thread end, then returns when every thread has left its loop. What
    // is still queued is destroyed without running when this object is.
    void stop();

    std::size_t size() const;
    boost::asio::io_context& context(std::size_t index);
    // The thread for the next new connection, in turn. Thread-safe.
    std::size_t next();
    // Index of the I/O thread that runs the caller; asserts when it is none of them.
    static std::size_t current();
    // The wheel of that thread's deadlines; use it on that thread only.
    TimerWheel& wheel(std::size_t index);

  private:
    struct Thread;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace spaktok
