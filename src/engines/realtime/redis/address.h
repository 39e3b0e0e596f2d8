// Where Redis is and who we are to it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace spaktok::realtime::redis {

struct Endpoint {
    std::string host;
    std::string port;
    std::string text() const { return host + ":" + port; }
    bool operator==(const Endpoint&) const = default;
};

// Who we are to a server, and how we speak with it.
struct Login {
    std::string user{};  // empty: the server's default user
    std::string password{};
    int database = 0;
    bool tls = false;
    std::string ca_file{};  // whom to trust; empty: the system's authorities
};

inline constexpr std::size_t endpoints_max = 32;

struct Address {
    enum class Form {
        server,     // one, always the same
        sentinels,  // they say which server is the master now
        cluster,    // each master has a part of the keys
    };
    Form form = Form::server;
    std::vector<Endpoint> endpoints;  // the server, or the Sentinels, or some of the cluster's servers
    std::string master{};             // its name among the Sentinels
    Login login{};                    // to the servers; Sentinels have none, only their TLS is the same
};

// redis://[[user]:password@]host[:port][/database]
// redis+sentinel://[[user]:password@]host[:port],…/master[/database], where the port is 26379 unless given
// redis+cluster://[[user]:password@]host[:port],…
// With TLS as rediss://, rediss+sentinel:// and rediss+cluster://, then also ?ca=FILE.
// Throws Error{invalid_argument} without repeating the URL, which may hold a password.
Address parse_address(const std::string& url);

// Whether the URL is one of these.
bool is_address(const std::string& url);

}  // namespace spaktok::realtime::redis
