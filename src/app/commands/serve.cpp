#include <iostream>

#include <pthread.h>
#include <signal.h>

#include "app/commands/commands.h"
#include "app/server.h"
#include "base/log.h"

namespace spaktok::app {

int serve(Settings settings) {
    // Blocked before any thread starts, so that every thread inherits it and only `sigwait` below sees them.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);

    Server server(std::move(settings));
    server.start();
    std::cout << "Spaktok serves " << server.public_url() << '\n';
    if (const auto link = server.setup_link()) {
        std::cout << "Make the first administrator here, once: " << *link << '\n';
    }
    std::cout.flush();
    int received = 0;
    sigwait(&signals, &received);
    log::info("signal received", {{"signal", received}});
    server.stop();
    return 0;
}

}  // namespace spaktok::app
