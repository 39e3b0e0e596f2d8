// What each command does once its words and settings are read. Each returns the exit code; Errors are caught
// by the command line.
#pragma once

#include <cstdint>
#include <string>

#include "app/settings.h"

namespace spaktok::app {

int serve(Settings settings);
int demo(Settings settings);

struct MigrateOptions {
    bool plan = false;  // show, change nothing
};
int migrate(const Settings& settings, MigrateOptions options);
struct CheckOptions {
    bool repair = false;  // else nothing is written
    std::string part{};   // "ledger"; empty: everything
};
// 0 where all agrees, or was made to.
int check(const Settings& settings, CheckOptions options);
int print_config(const Settings& settings);
int print_version();
// What the server answers to; compared with api/openapi.yaml by the tests.
int print_routes(Settings settings);

// URLs of the engines to move to; empty: that engine stays.
struct MoveWords {
    std::string relational;
    std::string document;
    std::string realtime;
    std::string blob;
};
int move_engines(const Settings& settings, const MoveWords& words);

struct UserOptions {
    std::string username;
    std::string email;
    std::string role;
    bool password_from_stdin = false;  // else it is asked for on the terminal
};
int create_user(Settings settings, UserOptions options);
int reset_password(Settings settings, UserOptions options);
int set_role(Settings settings, UserOptions options);
int list_users(Settings settings);

}  // namespace spaktok::app
