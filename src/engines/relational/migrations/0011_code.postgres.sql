-- A text that a host edits before the audience of a stream.
CREATE TABLE code_sessions (
    id UUID NOT NULL PRIMARY KEY,
    stream_id UUID NOT NULL,
    title VARCHAR(100) NOT NULL,
    -- The programming language, as the editor names it.
    language VARCHAR(50) NOT NULL,
    code_content TEXT NOT NULL DEFAULT '',
    -- Grows by one with each change of the text.
    version INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT code_sessions_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE CASCADE,
    CONSTRAINT code_sessions_version_positive CHECK (version >= 0)
);

CREATE INDEX idx_code_sessions_stream_id ON code_sessions (stream_id, id DESC);

-- What viewers propose to put in place of some lines.
CREATE TABLE code_suggestions (
    id UUID NOT NULL PRIMARY KEY,
    session_id UUID NOT NULL,
    user_id UUID NOT NULL,
    content TEXT NOT NULL,
    -- The first and the last line, counted from 1, of the text as it was at base_version.
    line_start INTEGER NOT NULL,
    line_end INTEGER NOT NULL,
    -- The numbers of its suggestion_votes, kept in their transactions.
    upvotes INTEGER NOT NULL DEFAULT 0,
    downvotes INTEGER NOT NULL DEFAULT 0,
    status VARCHAR(20) NOT NULL DEFAULT 'pending',
    base_version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT code_suggestions_session_id_fkey FOREIGN KEY (session_id) REFERENCES code_sessions (id) ON DELETE CASCADE,
    CONSTRAINT code_suggestions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT code_suggestions_status_known CHECK (status IN ('pending', 'accepted', 'rejected')),
    CONSTRAINT code_suggestions_lines_in_order CHECK (line_start >= 1 AND line_end >= line_start),
    CONSTRAINT code_suggestions_upvotes_positive CHECK (upvotes >= 0),
    CONSTRAINT code_suggestions_downvotes_positive CHECK (downvotes >= 0),
    CONSTRAINT code_suggestions_base_version_positive CHECK (base_version >= 0)
);

CREATE INDEX idx_code_suggestions_session_id ON code_suggestions (session_id, id DESC);
CREATE INDEX idx_code_suggestions_user_id ON code_suggestions (user_id, id DESC);

CREATE TABLE suggestion_votes (
    suggestion_id UUID NOT NULL,
    user_id UUID NOT NULL,
    value SMALLINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (suggestion_id, user_id),
    CONSTRAINT suggestion_votes_suggestion_id_fkey FOREIGN KEY (suggestion_id) REFERENCES code_suggestions (id) ON DELETE CASCADE,
    CONSTRAINT suggestion_votes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT suggestion_votes_value_known CHECK (value IN (-1, 1))
);
