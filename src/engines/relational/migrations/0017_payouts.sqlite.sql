-- Why a payout was refused or has failed, told to the streamer.
ALTER TABLE payouts ADD COLUMN reason TEXT CONSTRAINT payouts_reason_length CHECK (length(reason) <= 500);
-- A streamer has one payout under way at most.
CREATE UNIQUE INDEX idx_payouts_open ON payouts (user_id) WHERE status = 'requested' OR status = 'approved';

-- Who decided what. Only ever inserted, in the transaction of the decision.
CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    actor_id TEXT NOT NULL,
    -- 'payout.approve', 'gift.reverse' and so on.
    action TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT audit_log_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT audit_log_id_form CHECK (length(id) = 36),
    CONSTRAINT audit_log_action_length CHECK (length(action) <= 50),
    CONSTRAINT audit_log_subject_type_length CHECK (length(subject_type) <= 50),
    CONSTRAINT audit_log_subject_id_length CHECK (length(subject_id) <= 36),
    CONSTRAINT audit_log_details_json CHECK (json_valid(details))
) STRICT;

CREATE INDEX idx_audit_log_actor_id ON audit_log (actor_id, id DESC);
CREATE INDEX idx_audit_log_subject_id ON audit_log (subject_id, id DESC);

-- What a person should look at: gifts that go in a circle, and many in a short time.
CREATE TABLE money_flags (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    -- Who sent them; of a circle the one with the smaller id, and the other.
    user_id TEXT NOT NULL,
    other_user_id TEXT,
    -- Where the window of time begins in which it was found: one flag for each.
    window_starts_at INTEGER NOT NULL,
    gifts_count INTEGER NOT NULL,
    -- USD: of a burst all that was sent, of a circle what came back.
    amount INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'open',
    -- The administrator who dismissed it.
    decided_by TEXT,
    decided_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT money_flags_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT money_flags_other_user_id_fkey FOREIGN KEY (other_user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT money_flags_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT money_flags_id_form CHECK (length(id) = 36),
    CONSTRAINT money_flags_kind_known CHECK (kind IN ('circle', 'burst')),
    CONSTRAINT money_flags_other_with_kind CHECK ((other_user_id IS NOT NULL) = (kind = 'circle')),
    CONSTRAINT money_flags_status_known CHECK (status IN ('open', 'dismissed')),
    CONSTRAINT money_flags_amount_positive CHECK (amount > 0)
) STRICT;

CREATE UNIQUE INDEX idx_money_flags_burst ON money_flags (user_id, window_starts_at) WHERE kind = 'burst';
CREATE UNIQUE INDEX idx_money_flags_circle ON money_flags (user_id, other_user_id, window_starts_at) WHERE kind = 'circle';
-- Those to be looked at, newest first.
CREATE INDEX idx_money_flags_status ON money_flags (status, id DESC);

-- The runs of the ledger's audit.
CREATE TABLE ledger_audits (
    id TEXT NOT NULL PRIMARY KEY,
    values_count INTEGER NOT NULL,
    differences_count INTEGER NOT NULL,
    -- The first of them, in words.
    differences TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT ledger_audits_id_form CHECK (length(id) = 36),
    CONSTRAINT ledger_audits_differences_json CHECK (json_valid(differences)),
    CONSTRAINT ledger_audits_counts_positive CHECK (values_count >= 0 AND differences_count >= 0)
) STRICT;
