#include "engines/relational/postgres/binding.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "engines/relational/text_rules.h"

namespace spaktok::relational::postgres {

namespace {

// pg_type.dat of PostgreSQL's source; the numbers of built-in types never change.
constexpr Oid bool_type = 16;
constexpr Oid int8_type = 20;
constexpr Oid int2_type = 21;
constexpr Oid int4_type = 23;
constexpr Oid float4_type = 700;
constexpr Oid float8_type = 701;
constexpr Oid timestamptz_type = 1184;
constexpr Oid numeric_type = 1700;
constexpr Oid uuid_type = 2950;

std::string decimal(Money money) {
    const auto minor = money.minor();
    const auto magnitude =
        minor < 0 ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
    return fmt::format("{}{}.{:02}", minor < 0 ? "-" : "", magnitude / 100, magnitude % 100);
}

struct Encoder {
    Oid type;

    std::optional<std::string> operator()(std::monostate) const { return std::nullopt; }
    std::optional<std::string> operator()(bool flag) const {
        if (type == bool_type) return flag ? "t" : "f";
        return flag ? "1" : "0";
    }
    std::optional<std::string> operator()(std::int64_t number) const {
        if (type == bool_type) return number != 0 ? "t" : "f";
        return std::to_string(number);
    }
    std::optional<std::string> operator()(double real) const {
        check_finite(real);
        return fmt::format("{}", real);
    }
    std::optional<std::string> operator()(const std::string& text) const {
        check_text(text);
        return text;
    }
    std::optional<std::string> operator()(const Uuid& id) const { return id.to_string(); }
    std::optional<std::string> operator()(Timestamp at) const {
        if (type == int8_type) return std::to_string(to_unix_milliseconds(at));
        return to_rfc3339(at);
    }
    std::optional<std::string> operator()(Money money) const {
        return type == numeric_type ? decimal(money) : std::to_string(money.minor());
    }
    std::optional<std::string> operator()(const boost::json::value& document) const {
        check_text(document);
        return boost::json::serialize(document);
    }
};

std::int64_t read_integer(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

double read_real(std::string_view text) {
    double real = 0;
    std::from_chars(text.data(), text.data() + text.size(), real);
    return real;
}

// A sum of BIGINTs is a NUMERIC without decimals; an amount has two.
Value read_numeric(std::string_view text) {
    const auto point = text.find('.');
    if (point == std::string_view::npos) return read_integer(text);
    if (text.size() - point != 3) return read_real(text);
    std::string minor(text.substr(0, point));
    minor += text.substr(point + 1);
    return Money::from_minor(read_integer(minor));
}

// "2026-01-31 08:09:10.123+00"
Value read_time(std::string_view text) {
    std::string rfc3339(text);
    if (rfc3339.ends_with("+00")) rfc3339.replace(rfc3339.size() - 3, 3, "Z");
    if (const auto at = parse_rfc3339(rfc3339)) return *at;
    return rfc3339;  // beyond what Timestamp reads; reading it as one then says so
}

Value read_column(std::string_view text, Oid type) {
    switch (type) {
        case bool_type:
            return text == "t";
        case int2_type:
        case int4_type:
        case int8_type:
            return read_integer(text);
        case float4_type:
        case float8_type:
            return read_real(text);
        case numeric_type:
            return read_numeric(text);
        case timestamptz_type:
            return read_time(text);
        case uuid_type:
            if (const auto id = Uuid::parse(text)) return *id;
            break;
        default:
            break;
    }
    return std::string(text);
}

// Rows changed; a SELECT changes none, though libpq counts what it returned.
std::int64_t affected_by(const PGresult* answer) {
    auto* mutable_answer = const_cast<PGresult*>(answer);  // libpq's signatures predate const
    if (std::string_view(PQcmdStatus(mutable_answer)).starts_with("SELECT")) return 0;
    return read_integer(PQcmdTuples(mutable_answer));
}

}  // namespace

std::optional<std::string> encode(const Value& value, Oid type) {
    return std::visit(Encoder{type}, value);
}

Result decode(const PGresult* answer) {
    const int columns = PQnfields(answer);
    auto names = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < columns; ++column)
        names->emplace_back(PQfname(answer, column));
    std::vector<std::vector<Value>> rows(static_cast<std::size_t>(PQntuples(answer)));
    for (std::size_t index = 0; index < rows.size(); ++index) {
        const int row = static_cast<int>(index);
        rows[index].reserve(names->size());
        for (int column = 0; column < columns; ++column) {
            if (PQgetisnull(answer, row, column) != 0) {
                rows[index].emplace_back(std::monostate{});
                continue;
            }
            const auto length = static_cast<std::size_t>(PQgetlength(answer, row, column));
            rows[index].push_back(
                read_column({PQgetvalue(answer, row, column), length}, PQftype(answer, column)));
        }
    }
    return {std::move(names), std::move(rows), affected_by(answer)};
}

}  // namespace spaktok::relational::postgres
