#include "engines/relational/sqlite/binding.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <boost/json/serialize.hpp>

namespace spaktok::relational::sqlite {

namespace {

[[noreturn]] void refuse(const char* message) {
    throw Error(ErrorCode::invalid_argument, message);
}

using spaktok::sqlite::Rows;

bool has_nul(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::string:
            return value.get_string().find('\0') != boost::json::string::npos;
        case boost::json::kind::array:
            return std::any_of(value.get_array().begin(), value.get_array().end(), has_nul);
        case boost::json::kind::object:
            return std::any_of(value.get_object().begin(), value.get_object().end(), [](const auto& member) {
                return member.key().find('\0') != std::string_view::npos || has_nul(member.value());
            });
        default:
            return false;
    }
}

struct Binder {
    Rows& rows;

    void operator()(std::monostate) const { rows.bind(nullptr); }
    void operator()(std::int64_t number) const { rows.bind(number); }
    void operator()(bool flag) const { (*this)(std::int64_t{flag ? 1 : 0}); }
    void operator()(double real) const {
        if (!std::isfinite(real)) refuse("A number must be finite.");
        rows.bind(real);
    }
    void operator()(std::string_view text) const {
        if (text.find('\0') != std::string_view::npos) refuse("Text must not contain the character U+0000.");
        rows.bind(text);
    }
    void operator()(const std::string& text) const { (*this)(std::string_view(text)); }
    void operator()(const Uuid& id) const { rows.bind(std::string_view(id.to_string())); }
    void operator()(Timestamp at) const { (*this)(to_unix_milliseconds(at)); }
    void operator()(Money money) const { (*this)(money.minor()); }
    void operator()(const boost::json::value& document) const {
        if (has_nul(document)) refuse("Text must not contain the character U+0000.");
        rows.bind(std::string_view(boost::json::serialize(document)));
    }
};

Value read_column(const Rows& rows, int column) {
    using spaktok::sqlite::ColumnType;
    switch (rows.type(column)) {
        case ColumnType::integer:
            return rows.integer(column);
        case ColumnType::real:
            return rows.real(column);
        case ColumnType::null:
            return std::monostate{};
        default:
            return std::string(
                rows.bytes(column));  // the schema has no blobs, and one would read as its bytes
    }
}

}  // namespace

void bind(Rows& rows, const Value& value) {
    std::visit(Binder{rows}, value);
}

std::vector<Value> read_row(const Rows& rows) {
    const int columns = rows.column_count();
    std::vector<Value> row;
    row.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column)
        row.push_back(read_column(rows, column));
    return row;
}

}  // namespace spaktok::relational::sqlite
