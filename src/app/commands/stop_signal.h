// SIGINT and SIGTERM, which ask the program to stop.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace spaktok::app {

// Make it before any thread starts: every thread then inherits the block, and only `wait` sees the signals.
class StopSignal {
  public:
    StopSignal() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        signal(SIGPIPE, SIG_IGN);
    }

    // Returns the signal's number.
    int wait() const {
        int received = 0;
        sigwait(&signals_, &received);
        return received;
    }

  private:
    sigset_t signals_{};
};

}  // namespace spaktok::app
