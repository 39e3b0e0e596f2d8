-- A question of the host to the viewers of a stream.
CREATE TABLE stream_polls (
    id UUID NOT NULL PRIMARY KEY,
    stream_id UUID NOT NULL,
    question TEXT NOT NULL,
    -- When it closes by itself; NULL: when the host closes it.
    ends_at TIMESTAMP WITH TIME ZONE,
    is_closed BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT stream_polls_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE CASCADE
);

CREATE INDEX idx_stream_polls_stream_id ON stream_polls (stream_id, id DESC);

CREATE TABLE poll_options (
    id UUID NOT NULL PRIMARY KEY,
    poll_id UUID NOT NULL,
    option_text TEXT NOT NULL,
    -- The number of its poll_votes, kept in their transactions.
    votes_count INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT poll_options_poll_id_fkey FOREIGN KEY (poll_id) REFERENCES stream_polls (id) ON DELETE CASCADE,
    CONSTRAINT poll_options_votes_count_positive CHECK (votes_count >= 0)
);

CREATE INDEX idx_poll_options_poll_id ON poll_options (poll_id, id);

-- One vote a person and poll: the key says so.
CREATE TABLE poll_votes (
    poll_id UUID NOT NULL,
    user_id UUID NOT NULL,
    option_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (poll_id, user_id),
    CONSTRAINT poll_votes_poll_id_fkey FOREIGN KEY (poll_id) REFERENCES stream_polls (id) ON DELETE CASCADE,
    CONSTRAINT poll_votes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT poll_votes_option_id_fkey FOREIGN KEY (option_id) REFERENCES poll_options (id) ON DELETE CASCADE
);

CREATE INDEX idx_poll_votes_option_id ON poll_votes (option_id);
