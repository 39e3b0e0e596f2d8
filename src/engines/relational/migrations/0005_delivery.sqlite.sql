-- Events that others must hear of, written in the transaction of the change that they tell of and deleted once delivered:
-- a watermark instead would lose some, because ids and commits are not in the same order.
CREATE TABLE outbox (
    -- The event's id: consumers remember it, since delivery is at least once.
    id TEXT NOT NULL PRIMARY KEY,
    -- What changed ('stream', 'user') and which; events of one aggregate are delivered in the order of their ids.
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    -- 'stream.started', 'follow.created'.
    event_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    -- How often delivery was tried in vain.
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT outbox_id_form CHECK (length(id) = 36),
    CONSTRAINT outbox_aggregate_type_length CHECK (length(aggregate_type) <= 50),
    CONSTRAINT outbox_aggregate_id_length CHECK (length(aggregate_id) <= 36),
    CONSTRAINT outbox_event_type_length CHECK (length(event_type) <= 100),
    CONSTRAINT outbox_payload_json CHECK (json_valid(payload)),
    CONSTRAINT outbox_attempts_positive CHECK (attempts >= 0)
) STRICT;

-- Answers of requests that a client may repeat: the second one is answered by what the first stored.
CREATE TABLE idempotency_keys (
    user_id TEXT NOT NULL,
    -- The request's Idempotency-Key.
    key TEXT NOT NULL,
    -- Of method, path and body: the same key with another request is refused.
    request_digest TEXT NOT NULL,
    -- Status and body of the stored answer.
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    -- 24 hours after created_at.
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_request_digest_length CHECK (length(request_digest) <= 64),
    CONSTRAINT idempotency_keys_answer_json CHECK (json_valid(answer))
) STRICT, WITHOUT ROWID;

-- The sweep deletes what has expired.
CREATE INDEX idx_idempotency_keys_expires_at ON idempotency_keys (expires_at);
