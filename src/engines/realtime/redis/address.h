// Where the Redis server is and who we are to it.
#pragma once

#include <optional>
#include <string>

namespace spaktok::realtime::redis {

struct Address {
    std::string host;
    std::string port = "6379";
    std::string user{};  // empty: the server's default user
    std::string password{};
    int database = 0;
    bool tls = false;
    std::string ca_file{};  // whom to trust; empty: the system's authorities
};

// redis://[[user]:password@]host[:port][/database], rediss:// with TLS, then also ?ca=FILE. Throws
// Error{invalid_argument} without repeating the URL, which may hold a password.
Address parse_address(const std::string& url);

}  // namespace spaktok::realtime::redis
