// A Lua script that the server runs as one step.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spaktok::realtime::redis {

// What EVALSHA names and EVAL holds. `name` is the command's in metrics.
class Script {
  public:
    Script(std::string name, std::string_view text);

    const std::string& name() const { return name_; }
    const std::string& text() const { return text_; }
    const std::string& sha1() const { return sha1_; }

  private:
    std::string name_;
    std::string text_;
    std::string sha1_;
};

// All scripts of the engine. Each takes time by the server's clock and touches only keys of one hash tag.
namespace scripts {
extern const Script publish;
extern const Script read_topic;
extern const Script set_add;
extern const Script touch;
extern const Script count;
extern const Script rank;
extern const Script expire_board;
extern const Script report;
extern const Script total;
std::span<const Script* const> all();
}  // namespace scripts

}  // namespace spaktok::realtime::redis
