-- The catalogue. A gift that is retired stays in the history of those who sent it.
CREATE TABLE gifts (
    id UUID NOT NULL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    -- USD.
    price NUMERIC(10,2) NOT NULL,
    image_url VARCHAR(2048) NOT NULL,
    -- The name of the animation that the page plays.
    animation VARCHAR(50),
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    sort_order INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT gifts_price_positive CHECK (price > 0)
);

CREATE UNIQUE INDEX idx_gifts_name ON gifts (name);
-- The catalogue as it is shown.
CREATE INDEX idx_gifts_sort_order ON gifts (sort_order, id) WHERE is_active;

-- What moved money, and why. The truth of how much is in ledger_entries; this is what people see.
CREATE TABLE transactions (
    id UUID NOT NULL PRIMARY KEY,
    -- NULL where money comes from outside or from the platform.
    sender_user_id UUID,
    -- NULL where money goes outside or to the platform.
    receiver_user_id UUID,
    gift_id UUID,
    -- USD.
    amount NUMERIC(10,2) NOT NULL,
    -- What was paid in: its code (ISO 4217), how much of it one USD was, and the sum in its minor units.
    currency VARCHAR(3) NOT NULL DEFAULT 'USD',
    exchange_rate NUMERIC(10,4) NOT NULL DEFAULT 1,
    paid_minor BIGINT,
    -- USD; for a gift they sum to amount.
    platform_fee NUMERIC(10,2) NOT NULL DEFAULT 0,
    streamer_payout NUMERIC(10,2) NOT NULL DEFAULT 0,
    -- The receiver's history shows a gift_sent as gift_received.
    transaction_type VARCHAR(50) NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'pending',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    -- Where a gift was sent; the stream may go, the money stays.
    stream_id UUID,
    -- The transaction that this one takes back: at most one does.
    reverses_id UUID,
    CONSTRAINT transactions_sender_user_id_fkey FOREIGN KEY (sender_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_receiver_user_id_fkey FOREIGN KEY (receiver_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_gift_id_fkey FOREIGN KEY (gift_id) REFERENCES gifts (id) ON DELETE RESTRICT,
    CONSTRAINT transactions_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE SET NULL,
    CONSTRAINT transactions_reverses_id_fkey FOREIGN KEY (reverses_id) REFERENCES transactions (id) ON DELETE RESTRICT,
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
);

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
    id UUID NOT NULL PRIMARY KEY,
    -- NULL for the platform's own.
    owner_user_id UUID,
    kind VARCHAR(50) NOT NULL,
    -- US cents.
    balance_minor BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT ledger_accounts_owner_user_id_fkey FOREIGN KEY (owner_user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_accounts_kind_known
        CHECK (kind IN ('wallet', 'earnings', 'platform_revenue', 'payment_clearing', 'payout_clearing')),
    CONSTRAINT ledger_accounts_owner_with_kind CHECK ((owner_user_id IS NOT NULL) = (kind IN ('wallet', 'earnings'))),
    CONSTRAINT ledger_accounts_wallet_not_below_zero CHECK (kind <> 'wallet' OR balance_minor >= 0)
);

CREATE UNIQUE INDEX idx_ledger_accounts_owner_user_id ON ledger_accounts (owner_user_id, kind) WHERE owner_user_id IS NOT NULL;
CREATE UNIQUE INDEX idx_ledger_accounts_kind ON ledger_accounts (kind) WHERE owner_user_id IS NULL;

-- One side of a movement. Only ever inserted; those of one transaction sum to zero.
CREATE TABLE ledger_entries (
    id UUID NOT NULL PRIMARY KEY,
    transaction_id UUID NOT NULL,
    account_id UUID NOT NULL,
    -- US cents; negative where money leaves the account.
    amount_minor BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT ledger_entries_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_entries_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger_accounts (id) ON DELETE RESTRICT,
    CONSTRAINT ledger_entries_amount_minor_not_zero CHECK (amount_minor <> 0)
);

CREATE INDEX idx_ledger_entries_transaction_id ON ledger_entries (transaction_id);
CREATE INDEX idx_ledger_entries_account_id ON ledger_entries (account_id, id DESC);

-- A payment at a provider, from the moment it is begun.
CREATE TABLE payment_intents (
    id UUID NOT NULL PRIMARY KEY,
    provider VARCHAR(50) NOT NULL,
    -- The provider's name for it.
    provider_ref VARCHAR(255) NOT NULL,
    user_id UUID NOT NULL,
    transaction_id UUID NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'pending',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT payment_intents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payment_intents_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT payment_intents_status_known CHECK (status IN ('pending', 'completed', 'failed', 'refunded', 'disputed'))
);

-- A webhook finds its payment, and a second one for the same payment finds that too.
CREATE UNIQUE INDEX idx_payment_intents_provider_ref ON payment_intents (provider, provider_ref);
CREATE INDEX idx_payment_intents_user_id ON payment_intents (user_id, id DESC);
CREATE UNIQUE INDEX idx_payment_intents_transaction_id ON payment_intents (transaction_id);

-- What a streamer asks to be paid, and what became of it.
CREATE TABLE payouts (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    -- The movement of the money out of the earnings.
    transaction_id UUID NOT NULL,
    -- USD.
    amount NUMERIC(10,2) NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'requested',
    -- The administrator who approved or refused it.
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT payouts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_transaction_id_fkey FOREIGN KEY (transaction_id) REFERENCES transactions (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT payouts_status_known CHECK (status IN ('requested', 'approved', 'refused', 'paid', 'failed')),
    CONSTRAINT payouts_amount_positive CHECK (amount > 0)
);

CREATE INDEX idx_payouts_user_id ON payouts (user_id, id DESC);
-- Those that wait for a decision, oldest first.
CREATE INDEX idx_payouts_status ON payouts (status, id);
CREATE UNIQUE INDEX idx_payouts_transaction_id ON payouts (transaction_id);

-- Units of a currency for one USD, by day.
CREATE TABLE exchange_rates (
    -- ISO 4217.
    currency VARCHAR(3) NOT NULL,
    day DATE NOT NULL,
    rate NUMERIC(10,4) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (currency, day),
    CONSTRAINT exchange_rates_currency_length CHECK (length(currency) = 3),
    CONSTRAINT exchange_rates_rate_positive CHECK (rate > 0)
);
