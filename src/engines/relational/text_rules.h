// What no engine stores: numbers that are none, and the character U+0000, which PostgreSQL's text cannot
// hold.
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

namespace spaktok::relational {

// Each throws Error{invalid_argument}.
void check_finite(double real);
void check_text(std::string_view text);
void check_text(const boost::json::value& document);

}  // namespace spaktok::relational
