// Rows of `gifts`.
#pragma once

#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "engines/relational/database.h"
#include "features/gifts/gift.h"

namespace spaktok::gifts {

class GiftStore {
  public:
    explicit GiftStore(relational::Database& database) : database_(database) {}

    // All of them, retired ones too, as they are shown. There are tens.
    boost::asio::awaitable<std::vector<Gift>> all();
    // Throws Error{conflict "gift_name_taken"}.
    boost::asio::awaitable<void> insert(Gift gift, Timestamp now);
    // False where there is no such gift.
    boost::asio::awaitable<bool> set_active(GiftId gift, bool is_active, Timestamp now);

  private:
    relational::Database& database_;
};

}  // namespace spaktok::gifts
