#include "features/ledger/movement.h"

#include <set>

#include "base/assert.h"

namespace spaktok::ledger {

void check(const Movement& movement) {
    const auto& header = movement.header;
    SPAKTOK_ASSERT(header.amount > Money{} && header.amount <= amount_max);
    Money sum;
    std::set<Account> accounts;
    for (const auto& posting : movement.postings) {
        SPAKTOK_ASSERT(posting.amount != Money{});
        const bool is_personal =
            posting.account.kind == AccountKind::wallet || posting.account.kind == AccountKind::earnings;
        SPAKTOK_ASSERT(posting.account.owner.has_value() == is_personal);
        SPAKTOK_ASSERT(accounts.insert(posting.account).second);
        sum += posting.amount;
    }
    SPAKTOK_ASSERT(accounts.size() >= 2 && sum == Money{});
    if (header.type == TransactionType::gift_sent)
        SPAKTOK_ASSERT(header.amount == header.platform_fee + header.streamer_payout);
}

}  // namespace spaktok::ledger
