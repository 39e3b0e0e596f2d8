-- The catalogue. A gift that is retired stays in the history of those who sent it.
CREATE TABLE gifts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- USD.
    price INTEGER NOT NULL,
    image_url TEXT NOT NULL,
    -- The name of the animation that the page plays.
    animation TEXT,
    is_active INTEGER NOT NULL DEFAULT TRUE,
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT gifts_id_form CHECK (length(id) = 36),
    CONSTRAINT gifts_name_length CHECK (length(name) <= 50),
    CONSTRAINT gifts_image_url_length CHECK (length(image_url) <= 2048),
    CONSTRAINT gifts_animation_length CHECK (length(animation) <= 50),
    CONSTRAINT gifts_is_active_boolean CHECK (is_active IN (0, 1)),
    CONSTRAINT gifts_price_positive CHECK (price > 0)
) STRICT;

CREATE UNIQUE INDEX idx_gifts_name ON gifts (name);
-- The catalogue as it is shown.
CREATE INDEX idx_gifts_sort_order ON gifts (sort_order, id) WHERE is_active;

-- What moved money, and why. The truth of how much is in ledger_entries; this is what people see.
CREATE TABLE transactions (
    id TEXT NOT NULL PRIMARY KEY,
    -- NULL where money comes from outside or from the platform.
    sender_user_id TEXT,
    -- NULL where money goes outside or to the platform.
    receiver_user_id TEXT,
    gift_id TEXT,
    -- USD.
    amount INTEGER NOT NULL,
    -- What was paid in: its code (ISO 4217), how much of it one USD was, and the sum in its minor units.
    currency TEXT NOT NULL DEFAULT 'USD',
    exchange_rate INTEGER NOT NULL DEFAULT 10000,
    paid_minor INTEGER,
    -- USD; for a gift they sum to amount.
    platform_fee INTEGER NOT NULL DEFAULT 0,
    streamer_payout INTEGER NOT NULL DEFAULT 0,
    -- The receiver's history shows a gift_sent as gift_received.
    transaction_type TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    -- Where a gift was sent; the stream may go, the money stays.
    stream_id TEXT,
    -- The transaction that this one takes back: at most one does.
    reverses_id TEXT,
    CONSTRAINT transactions_sender_user_id_fkey FOREIGN KEY (sender_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_receiver_user_id_fkey FOREIGN KEY (receiver_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_gift_id_fkey FOREIGN KEY (gift_id) REFERENCES gifts (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE SET NULL,
    CONSTRAINT transactions_reverses_id_fkey FOREIGN KEY (reverses_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_id_form CHECK (length(id) = 36),
    CONSTRAINT transactions_transaction_type_known
        CHECK (transaction_type IN ('top_up', 'gift_sent', 'payout', 'refund', 'adjustment')),
    CONSTRAINT transactions_status_known CHECK (status IN ('pending', 'completed', 'failed')),
    CONSTRAINT transactions_amount_positive CHECK (amount > 0),
    CONSTRAINT transactions_exchange_rate_positive CHECK (exchange_rate > 0),
    CONSTRAINT transactions_paid_minor_positive CHECK (paid_minor >= 0),
    CONSTRAINT transactions_shares_positive CHECK (platform_fee >= 0 AND streamer_payout >= 0),
    CONSTRAINT transactions_currency_length CHECK (length(currency) = 3),
    CONSTRAINT transactions_gift_splits CHECK (transaction_type <> 'gift_sent' OR amount = platform_fee + streamer_payout),
    CONSTRAINT transactions_gift_with_type
        CHECK (transaction_type <> 'gift_sent' OR (gift_id IS NOT NULL AND sender_user_id IS NOT NULL AND receiver_user_id IS NOT NULL)),
    CONSTRAINT transactions_not_to_self CHECK (sender_user_id <> receiver_user_id)
) STRICT;

-- A person's history, newest first: what they sent and what they received.
CREATE INDEX idx_transactions_sender_user_id ON transactions (sender_user_id, id DESC);
CREATE INDEX idx_transactions_receiver_user_id ON transactions (receiver_user_id, id DESC);
CREATE INDEX idx_transactions_stream_id ON transactions (stream_id, id DESC) WHERE stream_id IS NOT NULL;
-- What is still to be settled, oldest first.
CREATE INDEX idx_transactions_status ON transactions (status, id) WHERE status = 'pending';
CREATE UNIQUE INDEX idx_transactions_reverses_id ON transactions (reverses_id) WHERE reverses_id IS NOT NULL;

-- Double entry: money is only ever moved between these. balance_minor is the sum of the entries of the account, kept in their
-- transactions.
CREATE TABLE ledger_accounts (
    id TEXT NOT NULL PRIMARY KEY,
    -- NULL for the platform's own.
    owner_user_id TEXT,
    kind TEXT NOT NULL,
    -- US cents.
    balance_minor INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT ledger_accounts_owner_user_id_fkey FOREIGN KEY (owner_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_accounts_id_form CHECK (length(id) = 36),
    CONSTRAINT ledger_accounts_kind_known
        CHECK (kind IN ('wallet', 'earnings', 'platform_revenue', 'payment_clearing', 'payout_clearing')),
    CONSTRAINT ledger_accounts_owner_with_kind CHECK ((owner_user_id IS NOT NULL) = (kind IN ('wallet', 'earnings'))),
    CONSTRAINT ledger_accounts_wallet_not_below_zero CHECK (kind <> 'wallet' OR balance_minor >= 0)
) STRICT;

CREATE UNIQUE INDEX idx_ledger_accounts_owner_user_id ON ledger_accounts (owner_user_id, kind) WHERE owner_user_id IS NOT NULL;
CREATE UNIQUE INDEX idx_ledger_accounts_kind ON ledger_accounts (kind) WHERE owner_user_id IS NULL;

-- One side of a movement. Only ever inserted; those of one transaction sum to zero.
CREATE TABLE ledger_entries (
    id TEXT NOT NULL PRIMARY KEY,
    transaction_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- US cents; negative where money leaves the account.
    amount_minor INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT ledger_entries_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_entries_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger_accounts (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_entries_id_form CHECK (length(id) = 36),
    CONSTRAINT ledger_entries_amount_minor_not_zero CHECK (amount_minor <> 0)
) STRICT;

CREATE INDEX idx_ledger_entries_transaction_id ON ledger_entries (transaction_id);
CREATE INDEX idx_ledger_entries_account_id ON ledger_entries (account_id, id DESC);

-- A payment at a provider, from the moment it is begun.
CREATE TABLE payment_intents (
    id TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    -- The provider's name for it.
    provider_ref TEXT NOT NULL,
    user_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT payment_intents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payment_intents_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT payment_intents_id_form CHECK (length(id) = 36),
    CONSTRAINT payment_intents_provider_length CHECK (length(provider) <= 50),
    CONSTRAINT payment_intents_provider_ref_length CHECK (length(provider_ref) <= 255),
    CONSTRAINT payment_intents_status_known CHECK (status IN ('pending', 'completed', 'failed', 'refunded', 'disputed'))
) STRICT;

-- A webhook finds its payment, and a second one for the same payment finds that too.
CREATE UNIQUE INDEX idx_payment_intents_provider_ref ON payment_intents (provider, provider_ref);
CREATE INDEX idx_payment_intents_user_id ON payment_intents (user_id, id DESC);
CREATE UNIQUE INDEX idx_payment_intents_transaction_id ON payment_intents (transaction_id);

-- What a streamer asks to be paid, and what became of it.
CREATE TABLE payouts (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    -- The movement of the money out of the earnings.
    transaction_id TEXT NOT NULL,
    -- USD.
    amount INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'requested',
    -- The administrator who approved or refused it.
    decided_by TEXT,
    decided_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT payouts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_id_form CHECK (length(id) = 36),
    CONSTRAINT payouts_status_known CHECK (status IN ('requested', 'approved', 'refused', 'paid', 'failed')),
    CONSTRAINT payouts_amount_positive CHECK (amount > 0)
) STRICT;

CREATE INDEX idx_payouts_user_id ON payouts (user_id, id DESC);
-- Those that wait for a decision, oldest first.
CREATE INDEX idx_payouts_status ON payouts (status, id);
CREATE UNIQUE INDEX idx_payouts_transaction_id ON payouts (transaction_id);

-- Units of a currency for one USD, by day.
CREATE TABLE exchange_rates (
    -- ISO 4217.
    currency TEXT NOT NULL,
    day TEXT NOT NULL,
    rate INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (currency, day),
    CONSTRAINT exchange_rates_day_form CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    CONSTRAINT exchange_rates_currency_length CHECK (length(currency) = 3),
    CONSTRAINT exchange_rates_rate_positive CHECK (rate > 0)
) STRICT, WITHOUT ROWID;
