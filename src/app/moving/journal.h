// How far a move has come, in a small file, so that one that was killed goes on.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace spaktok::moving {

class Journal {
  public:
    // `move` names what is moved and where to; kept as a digest, as URLs have passwords in them. Throws
    // Error{conflict} where the file is another move's, Error{unavailable} where it cannot be read.
    Journal(std::filesystem::path file, const std::string& move);

    // Whether a move was begun that has not ended.
    bool has_begun() const { return has_begun_; }
    // What was recorded of a part; null at first.
    json::Value position(const std::string& part) const;
    // On the disk when it returns.
    void record(const std::string& part, json::Value position);
    void begin();
    // Removes the file.
    void end();

  private:
    void write() const;

    std::filesystem::path file_;
    std::string move_;
    json::Object positions_;
    bool has_begun_ = false;
};

// Told after each batch how much of a part has been copied or compared in this run.
using Progress = std::function<void(const std::string& doing, std::int64_t things)>;

}  // namespace spaktok::moving
