-- A stream is one broadcast: scheduled or not, once live, in the end ended.
CREATE TABLE streams (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    -- scheduled, live, ended; ended is final. This column is the truth: what goes on air follows it.
    status TEXT NOT NULL DEFAULT 'scheduled',
    -- When it was announced for; NULL where it simply goes live.
    scheduled_for INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    -- The path of the published recording.
    recording_url TEXT,
    -- The peak, written as the stream ends; live numbers come from the realtime engine.
    viewers_count INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT streams_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT streams_id_form CHECK (length(id) = 36),
    CONSTRAINT streams_title_length CHECK (length(title) <= 100),
    CONSTRAINT streams_status_known CHECK (status IN ('scheduled', 'live', 'ended')),
    CONSTRAINT streams_recording_url_length CHECK (length(recording_url) <= 255),
    CONSTRAINT streams_viewers_count_positive CHECK (viewers_count >= 0)
) STRICT;

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
    user_id TEXT NOT NULL PRIMARY KEY,
    -- A digest of a random key of full entropy: fast to compare, worthless to whoever reads it.
    key_hash TEXT NOT NULL,
    last_used_at INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT stream_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT stream_keys_key_hash_length CHECK (length(key_hash) <= 255)
) STRICT, WITHOUT ROWID;

-- A publish finds its owner by this.
CREATE UNIQUE INDEX idx_stream_keys_key_hash ON stream_keys (key_hash);
