-- Why a payout was refused or has failed, told to the streamer.
ALTER TABLE payouts ADD COLUMN reason VARCHAR(500);
-- A streamer has one payout under way at most.
CREATE UNIQUE INDEX idx_payouts_open ON payouts (user_id) WHERE status = 'requested' OR status = 'approved';

-- Who decided what. Only ever inserted, in the transaction of the decision.
CREATE TABLE audit_log (
    id UUID NOT NULL PRIMARY KEY,
    actor_id UUID NOT NULL,
    -- 'payout.approve', 'gift.reverse' and so on.
    action VARCHAR(50) NOT NULL,
    subject_type VARCHAR(50) NOT NULL,
    subject_id VARCHAR(36) NOT NULL,
    details JSONB NOT NULL DEFAULT '{}',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT audit_log_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE RESTRICT
);

CREATE INDEX idx_audit_log_actor_id ON audit_log (actor_id, id DESC);
CREATE INDEX idx_audit_log_subject_id ON audit_log (subject_id, id DESC);

-- What a person should look at: gifts that go in a circle, and many in a short time.
CREATE TABLE money_flags (
    id UUID NOT NULL PRIMARY KEY,
    kind VARCHAR(50) NOT NULL,
    -- Who sent them; of a circle the one with the smaller id, and the other.
    user_id UUID NOT NULL,
    other_user_id UUID,
    -- Where the window of time begins in which it was found: one flag for each.
    window_starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    gifts_count INTEGER NOT NULL,
    -- USD: of a burst all that was sent, of a circle what came back.
    amount NUMERIC(10,2) NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'open',
    -- The administrator who dismissed it.
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT money_flags_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT money_flags_other_user_id_fkey FOREIGN KEY (other_user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT money_flags_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT money_flags_kind_known CHECK (kind IN ('circle', 'burst')),
    CONSTRAINT money_flags_other_with_kind CHECK ((other_user_id IS NOT NULL) = (kind = 'circle')),
    CONSTRAINT money_flags_status_known CHECK (status IN ('open', 'dismissed')),
    CONSTRAINT money_flags_amount_positive CHECK (amount > 0)
);

CREATE UNIQUE INDEX idx_money_flags_burst ON money_flags (user_id, window_starts_at) WHERE kind = 'burst';
CREATE UNIQUE INDEX idx_money_flags_circle ON money_flags (user_id, other_user_id, window_starts_at) WHERE kind = 'circle';
-- Those to be looked at, newest first.
CREATE INDEX idx_money_flags_status ON money_flags (status, id DESC);

-- The runs of the ledger's audit.
CREATE TABLE ledger_audits (
    id UUID NOT NULL PRIMARY KEY,
    values_count BIGINT NOT NULL,
    differences_count BIGINT NOT NULL,
    -- The first of them, in words.
    differences JSONB NOT NULL DEFAULT '[]',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT ledger_audits_counts_positive CHECK (values_count >= 0 AND differences_count >= 0)
);
