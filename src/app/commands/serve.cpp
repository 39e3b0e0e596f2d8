#include <iostream>

#include "app/commands/commands.h"
#include "app/commands/stop_signal.h"
#include "app/server.h"
#include "base/log.h"

namespace spaktok::app {

int serve(Settings settings) {
    const StopSignal stop;
    Server server(std::move(settings));
    server.start();
    std::cout << "Spaktok serves " << server.public_url() << '\n';
    if (const auto link = server.setup_link()) {
        std::cout << "Make the first administrator here, once: " << *link << '\n';
    }
    std::cout.flush();
    log::info("signal received", {{"signal", stop.wait()}});
    server.stop();
    return 0;
}

}  // namespace spaktok::app
