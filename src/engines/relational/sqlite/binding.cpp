#include "engines/relational/sqlite/binding.h"

#include <string>
#include <string_view>

#include <boost/json/serialize.hpp>

#include "engines/relational/text_rules.h"

namespace spaktok::relational::sqlite {

namespace {

using spaktok::sqlite::Rows;

struct Binder {
    Rows& rows;

    void operator()(std::monostate) const { rows.bind(nullptr); }
    void operator()(std::int64_t number) const { rows.bind(number); }
    void operator()(bool flag) const { (*this)(std::int64_t{flag ? 1 : 0}); }
    void operator()(double real) const {
        check_finite(real);
        rows.bind(real);
    }
    void operator()(std::string_view text) const {
        check_text(text);
        rows.bind(text);
    }
    void operator()(const std::string& text) const { (*this)(std::string_view(text)); }
    void operator()(const Uuid& id) const { rows.bind(std::string_view(id.to_string())); }
    void operator()(Timestamp at) const { (*this)(to_unix_milliseconds(at)); }
    void operator()(Money money) const { (*this)(money.minor()); }
    void operator()(const boost::json::value& document) const {
        check_text(document);
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
