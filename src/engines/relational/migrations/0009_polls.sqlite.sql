-- A question of the host to the viewers of a stream.
CREATE TABLE stream_polls (
    id TEXT NOT NULL PRIMARY KEY,
    stream_id TEXT NOT NULL,
    question TEXT NOT NULL,
    -- When it closes by itself; NULL: when the host closes it.
    ends_at INTEGER,
    is_closed INTEGER NOT NULL DEFAULT FALSE,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT stream_polls_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE CASCADE,
    CONSTRAINT stream_polls_id_form CHECK (length(id) = 36),
    CONSTRAINT stream_polls_is_closed_boolean CHECK (is_closed IN (0, 1))
) STRICT;

CREATE INDEX idx_stream_polls_stream_id ON stream_polls (stream_id, id DESC);

CREATE TABLE poll_options (
    id TEXT NOT NULL PRIMARY KEY,
    poll_id TEXT NOT NULL,
    option_text TEXT NOT NULL,
    -- The number of its poll_votes, kept in their transactions.
    votes_count INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT poll_options_poll_id_fkey FOREIGN KEY (poll_id) REFERENCES stream_polls (id) ON DELETE CASCADE,
    CONSTRAINT poll_options_id_form CHECK (length(id) = 36),
    CONSTRAINT poll_options_votes_count_positive CHECK (votes_count >= 0)
) STRICT;

CREATE INDEX idx_poll_options_poll_id ON poll_options (poll_id, id);

-- One vote a person and poll: the key says so.
CREATE TABLE poll_votes (
    poll_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    option_id TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (poll_id, user_id),
    CONSTRAINT poll_votes_poll_id_fkey FOREIGN KEY (poll_id) REFERENCES stream_polls (id) ON DELETE CASCADE,
    CONSTRAINT poll_votes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT poll_votes_option_id_fkey FOREIGN KEY (option_id) REFERENCES poll_options (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_poll_votes_option_id ON poll_votes (option_id);
