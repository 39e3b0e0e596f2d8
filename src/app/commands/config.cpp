#include <iostream>

#include "app/commands/commands.h"
#include "app/version.h"

namespace spaktok::app {

int print_config(const Settings& settings) {
    std::cout << describe(settings);
    return 0;
}

int print_version() {
    std::cout << "spaktok " << version << '\n';
    return 0;
}

}  // namespace spaktok::app
