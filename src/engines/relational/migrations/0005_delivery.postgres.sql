-- Events that others must hear of, written in the transaction of the change that they tell of and deleted once delivered:
-- a watermark instead would lose some, because ids and commits are not in the same order.
CREATE TABLE outbox (
    -- The event's id: consumers remember it, since delivery is at least once.
    id UUID NOT NULL PRIMARY KEY,
    -- What changed ('stream', 'user') and which; events of one aggregate are delivered in the order of their ids.
    aggregate_type VARCHAR(50) NOT NULL,
    aggregate_id VARCHAR(36) NOT NULL,
    -- 'stream.started', 'follow.created'.
    event_type VARCHAR(100) NOT NULL,
    payload JSONB NOT NULL,
    -- How often delivery was tried in vain.
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT outbox_attempts_positive CHECK (attempts >= 0)
);

-- Answers of requests that a client may repeat: the second one is answered by what the first stored.
CREATE TABLE idempotency_keys (
    user_id UUID NOT NULL,
    -- The request's Idempotency-Key.
    key VARCHAR(255) NOT NULL,
    -- Of method, path and body: the same key with another request is refused.
    request_digest VARCHAR(64) NOT NULL,
    -- Status and body of the stored answer.
    answer JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    -- 24 hours after created_at.
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 255)
);

-- The sweep deletes what has expired.
CREATE INDEX idx_idempotency_keys_expires_at ON idempotency_keys (expires_at);
