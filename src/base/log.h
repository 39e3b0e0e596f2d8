// Structured logs: one event a line, a fixed message and named fields.
//
//   log::info("publisher connected", {{"stream", id.to_string()}, {"remote", address}});
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace spaktok::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

// A name and a value; values are rendered at once (text quotes what has spaces, JSON keeps numbers and
// booleans).
class Field {
  public:
    Field(std::string_view name, std::string_view value) : name_(name), value_(value), quoted_(true) {}
    Field(std::string_view name, const std::string& value) : Field(name, std::string_view{value}) {}
    Field(std::string_view name, const char* value) : Field(name, std::string_view{value}) {}
    template <class Number>
        requires std::is_arithmetic_v<Number>
    Field(std::string_view name, Number value) : name_(name), quoted_(false) {
        if constexpr (std::is_same_v<Number, bool>) {
            value_ = value ? "true" : "false";
        } else {
            value_ = std::to_string(value);
        }
    }

    std::string_view name() const { return name_; }
    std::string_view value() const { return value_; }
    bool quoted() const { return quoted_; }

  private:
    std::string_view name_;
    std::string value_;
    bool quoted_;
};
using Fields = std::initializer_list<Field>;

struct Options {
    Level level = Level::info;
    Format format = Format::text;
};
// Writes to standard error, from any thread; call once at start.
void configure(Options options);
bool enabled(Level level);

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warning(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

}  // namespace spaktok::log
