#include <iostream>

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "app/commands/commands.h"
#include "app/server.h"
#include "base/error.h"
#include "features/accounts/account_service.h"

namespace spaktok::app {

namespace {

// The terminal's echo is off while this lives.
class NoEcho {
  public:
    NoEcho() {
        is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (!is_terminal_) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ~NoEcho() {
        if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

  private:
    termios before_{};
    bool is_terminal_ = false;
};

std::string read_line() {
    std::string line;
    if (!std::getline(std::cin, line)) throw Error(ErrorCode::invalid_argument, "no password was given");
    return line;
}

std::string ask_password(const UserOptions& options) {
    if (options.password_from_stdin) return read_line();
    const NoEcho no_echo;
    std::cerr << "New password: " << std::flush;
    auto password = read_line();
    std::cerr << "\nThe same again: " << std::flush;
    const auto again = read_line();
    std::cerr << '\n';
    if (password != again) throw Error(ErrorCode::invalid_argument, "the two passwords are not the same");
    return password;
}

}  // namespace

int create_user(Settings settings, UserOptions options) {
    const auto role = accounts::parse_role(options.role);
    const std::string password = ask_password(options);
    Server server(std::move(settings), Server::Use::command);
    server.run([&]() -> boost::asio::awaitable<void> {
        const auto account = co_await server.accounts().create_user(
            {.username = options.username, .email = options.email, .password = password}, role);
        std::cout << fmt::format("{} {} {}\n", account.id.to_string(), account.username, options.role);
    });
    return 0;
}

int reset_password(Settings settings, UserOptions options) {
    const std::string password = ask_password(options);
    Server server(std::move(settings), Server::Use::command);
    server.run([&]() -> boost::asio::awaitable<void> {
        co_await server.accounts().reset_password(options.username, password);
    });
    std::cout << "The password is set, and all sessions of " << options.username << " have ended.\n";
    return 0;
}

int set_role(Settings settings, UserOptions options) {
    const auto role = accounts::parse_role(options.role);
    Server server(std::move(settings), Server::Use::command);
    server.run([&]() -> boost::asio::awaitable<void> {
        const auto account = co_await server.accounts().set_role(options.username, role);
        std::cout << fmt::format("{} {}\n", account.username, options.role);
    });
    return 0;
}

int list_users(Settings settings) {
    Server server(std::move(settings), Server::Use::command);
    server.run([&]() -> boost::asio::awaitable<void> {
        constexpr std::int64_t page_users = 500;
        std::string after;
        for (;;) {
            const auto users = co_await server.accounts().list_users(after, page_users);
            for (const auto& user : users) {
                std::cout << fmt::format("{} {:<30} {:<10} {}\n", user.id.to_string(), user.username,
                                         boost::describe::enum_to_string(user.role, ""), user.email);
            }
            if (static_cast<std::int64_t>(users.size()) < page_users) break;
            after = users.back().username;
        }
    });
    return 0;
}

}  // namespace spaktok::app
