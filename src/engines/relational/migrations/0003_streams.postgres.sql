-- A stream is one broadcast: scheduled or not, once live, in the end ended. One partition a year, by the time in the id, so that the
-- primary key stays the id; the program makes them (partitions.cpp).
CREATE TABLE streams (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    title VARCHAR(100) NOT NULL,
    description TEXT,
    -- scheduled, live, ended; ended is final. This column is the truth: what goes on air follows it.
    status VARCHAR(20) NOT NULL DEFAULT 'scheduled',
    -- When it was announced for; NULL where it simply goes live.
    scheduled_for TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    -- The path of the published recording.
    recording_url VARCHAR(255),
    -- The peak, written as the stream ends; live numbers come from the realtime engine.
    viewers_count INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT streams_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT streams_status_known CHECK (status IN ('scheduled', 'live', 'ended')),
    CONSTRAINT streams_viewers_count_positive CHECK (viewers_count >= 0)
) PARTITION BY RANGE (id);

-- A person's streams, newest first: the id is time-ordered.
CREATE INDEX idx_streams_user_id ON streams (user_id, id DESC);
-- The streams of one status, newest first.
CREATE INDEX idx_streams_status ON streams (status, id DESC);
-- All streams, newest first.
CREATE INDEX idx_streams_created_at ON streams (created_at DESC, id DESC);
-- What comes next, soonest first. Queries must say status = 'scheduled' in their text for a partial index to serve them;
-- status stands first all the same, or SQLite's planner prefers idx_streams_status and sorts.
CREATE INDEX idx_streams_scheduled_for ON streams (status, scheduled_for, id) WHERE status = 'scheduled';

-- What a publisher authenticates with: shown once, stored as a hash, one a person.
CREATE TABLE stream_keys (
    user_id UUID NOT NULL PRIMARY KEY,
    -- A digest of a random key of full entropy: fast to compare, worthless to whoever reads it.
    key_hash VARCHAR(255) NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT stream_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);

-- A publish finds its owner by this.
CREATE UNIQUE INDEX idx_stream_keys_key_hash ON stream_keys (key_hash);
