// One timer for a thread's many deadlines: each I/O object holds a Deadline, and every 100 ms the wheel calls
// those that passed.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace spaktok {

// Lives on one I/O thread, and so do its deadlines.
class TimerWheel {
  public:
    static constexpr std::chrono::milliseconds tick{100};

    explicit TimerWheel(boost::asio::io_context& context);
    ~TimerWheel();
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    // Calls `expired` once, up to one tick after the time set last. Setting is O(1) and cheap enough for
    // every read and write.
    class Deadline {
      public:
        Deadline(TimerWheel& wheel, std::function<void()> expired);
        ~Deadline();
        Deadline(const Deadline&) = delete;
        Deadline& operator=(const Deadline&) = delete;
        void set(std::chrono::milliseconds from_now);
        void clear();

      private:
        friend class TimerWheel;
        TimerWheel& wheel_;
        std::function<void()> expired_;
        std::uint64_t due_tick_ = 0;     // 0: not set
        std::uint64_t placed_tick_ = 0;  // when the wheel looks at it: never after due_tick_
        std::list<Deadline*>::iterator place_{};
        bool placed_ = false;
    };

    void stop();

  private:
    static constexpr std::size_t slots = 1024;  // 102 s; a later deadline is looked at once a turn
    void schedule();
    void advance();
    void place(Deadline& deadline);
    void unplace(Deadline& deadline);

    boost::asio::steady_timer timer_;
    std::vector<std::list<Deadline*>> wheel_;
    std::uint64_t now_tick_ = 1;
    std::size_t placed_count_ = 0;
    bool running_ = false;
    std::chrono::steady_clock::time_point started_{};
};

}  // namespace spaktok
