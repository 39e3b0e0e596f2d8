// A live test broadcast: an ffmpeg of our own that makes a moving picture and a sound and publishes them.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace spaktok::demo {

// Runs the program until it is destroyed: one that ends is started again, after a second at first and after
// half a minute at most. The process gets SIGTERM, so that it says goodbye to the server, and is killed two
// seconds later; it also ends where this program is killed.
class Broadcast {
  public:
    explicit Broadcast(std::vector<std::string> argv);
    ~Broadcast();
    Broadcast(const Broadcast&) = delete;
    Broadcast& operator=(const Broadcast&) = delete;

    int starts() const;  // so far

  private:
    struct State;
    std::unique_ptr<State> state_;
};

struct BroadcastSource {
    std::string ffmpeg;
    std::string picture;
    std::string sound;
    std::string url;  // rtmp://…/live/<key>
};
std::vector<std::string> broadcast_arguments(const BroadcastSource& source);

}  // namespace spaktok::demo
