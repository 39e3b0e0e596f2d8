// spaktok serve | migrate | config | user … | demo | version
#pragma once

namespace spaktok::app {

// Exit codes: 0 done; 1 it failed (the reason is on standard error); 2 the command line or a setting is
// wrong.
int run_command_line(int argc, const char* const* argv);

}  // namespace spaktok::app
