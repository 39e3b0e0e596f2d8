#include "app/commands/commands.h"
namespace spaktok::app {
int demo(Settings settings) { return serve(std::move(settings)); }
}
