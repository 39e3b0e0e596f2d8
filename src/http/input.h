// What a connection has received and not used yet.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spaktok::http {

// Reads into a buffer that all connections of a thread share. Bytes move to memory of the connection's own
// only where they have to outlive a turn of the loop; an idle connection holds none.
class Input {
  public:
    // `scratch` outlives it.
    explicit Input(std::span<char> scratch) : scratch_(scratch) {}

    enum class Received { data, nothing, closed, broken };
    // One read of a socket that does not block, or none where the last one took all there was.
    Received receive(int socket);
    // The socket has become readable.
    void expect_more() { drained_ = false; }

    std::string_view unused() const {
        return fresh_.empty() ? std::string_view(kept_).substr(kept_begin_) : fresh_;
    }
    void use(std::size_t bytes);
    // To be called before others run: the scratch buffer is theirs, too.
    void keep();
    // Throws away what is unused; gives back all memory.
    void release();

  private:
    std::span<char> scratch_;
    std::string_view fresh_;  // in the scratch buffer
    std::string kept_;        // either of the two is empty
    std::size_t kept_begin_ = 0;
    bool drained_ = true;  // the last read took all there was
};

}  // namespace spaktok::http
