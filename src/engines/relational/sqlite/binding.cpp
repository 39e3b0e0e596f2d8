#include "engines/relational/sqlite/binding.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include <boost/json/serialize.hpp>

#include "base/assert.h"

namespace spaktok::relational::sqlite {

namespace {

[[noreturn]] void refuse(const char* message) {
    throw Error(ErrorCode::invalid_argument, message);
}

void bind_text(sqlite3_stmt* statement, int slot, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) refuse("Text must not contain the character U+0000.");
    // A view may have no address at all, which SQLite would take for NULL.
    const char* data = text.empty() ? "" : text.data();
    const int code = sqlite3_bind_text64(statement, slot, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code == SQLITE_TOOBIG) throw Error(ErrorCode::payload_too_large, "This is too large to be stored.");
    SPAKTOK_ASSERT(code == SQLITE_OK);
}

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
    sqlite3_stmt* statement;
    int slot;

    void operator()(std::monostate) const { SPAKTOK_ASSERT(sqlite3_bind_null(statement, slot) == SQLITE_OK); }
    void operator()(std::int64_t number) const {
        SPAKTOK_ASSERT(sqlite3_bind_int64(statement, slot, number) == SQLITE_OK);
    }
    void operator()(bool flag) const { (*this)(std::int64_t{flag ? 1 : 0}); }
    void operator()(double real) const {
        if (!std::isfinite(real)) refuse("A number must be finite.");
        SPAKTOK_ASSERT(sqlite3_bind_double(statement, slot, real) == SQLITE_OK);
    }
    void operator()(const std::string& text) const { bind_text(statement, slot, text); }
    void operator()(const Uuid& id) const { bind_text(statement, slot, id.to_string()); }
    void operator()(Timestamp at) const { (*this)(to_unix_milliseconds(at)); }
    void operator()(Money money) const { (*this)(money.minor()); }
    void operator()(const boost::json::value& document) const {
        if (has_nul(document)) refuse("Text must not contain the character U+0000.");
        bind_text(statement, slot, boost::json::serialize(document));
    }
};

Value read_column(sqlite3_stmt* statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, column);
        case SQLITE_NULL:
            return std::monostate{};
        default:
            break;  // text; the schema has no blobs, and one would read as its bytes
    }
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return data == nullptr ? std::string{} : std::string(data, size);
}

}  // namespace

void bind(sqlite3_stmt* statement, int slot, const Value& value) {
    std::visit(Binder{statement, slot}, value);
}

std::vector<Value> read_row(sqlite3_stmt* statement) {
    const int columns = sqlite3_column_count(statement);
    std::vector<Value> row;
    row.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column)
        row.push_back(read_column(statement, column));
    return row;
}

}  // namespace spaktok::relational::sqlite
