#include "features/wallet/statement_csv.h"

#include <string_view>

#include <boost/describe/enum_to_string.hpp>

#include "features/payments/currency.h"

namespace spaktok::wallet {

namespace {

void append_field(std::string& line, std::string_view text) {
    if (!line.empty()) line += ',';
    constexpr std::string_view formula_starts = "=+-@\t\r";
    const bool is_formula = !text.empty() && formula_starts.find(text.front()) != std::string_view::npos;
    if (!is_formula && text.find_first_of(",\"\r\n") == std::string_view::npos) {
        line += text;
        return;
    }
    line += is_formula ? "\"'" : "\"";
    for (const char c : text) {
        if (c == '"') line += '"';
        line += c;
    }
    line += '"';
}

void append_number(std::string& line, const std::string& digits) {
    line += ',';
    line += digits;
}

std::string money(const std::optional<Money>& amount) {
    return amount ? amount->to_string() : "";
}

std::string paid(const Entry& entry) {
    if (!entry.paid_minor) return "";
    return payments::decimals_of(entry.currency) == 0 ? std::to_string(*entry.paid_minor)
                                                      : Money::from_minor(*entry.paid_minor).to_string();
}

}  // namespace

std::string csv_of(const std::vector<Entry>& entries,
                   const std::unordered_map<UserId, accounts::UserSummary>& people) {
    std::string text =
        "time,id,type,status,amount_usd,wallet_change_usd,wallet_balance_usd,earned_usd,currency,paid,person,"
        "gift\r\n";
    for (const auto& entry : entries) {
        std::string line;
        append_field(line, to_rfc3339(entry.created_at));
        append_field(line, entry.id.to_string());
        append_field(line, boost::describe::enum_to_string(entry.type, ""));
        append_field(line, boost::describe::enum_to_string(entry.status, ""));
        append_number(line, entry.amount.to_string());
        append_number(line, money(entry.wallet_change));
        append_number(line, money(entry.wallet_balance));
        append_number(line, money(entry.earned));
        append_field(line, entry.currency);
        append_number(line, paid(entry));
        const auto person = entry.other ? people.find(*entry.other) : people.end();
        append_field(line, person == people.end() ? "" : person->second.username);
        append_field(line, entry.gift ? entry.gift->name : "");
        text += line + "\r\n";
    }
    return text;
}

}  // namespace spaktok::wallet
