-- Who follows whom. The pair is the key, so following twice is the same row; clustered by it (WITHOUT ROWID), since
-- "does A follow B" is asked far more often than anything else.
CREATE TABLE followers (
    follower_id TEXT NOT NULL,
    following_id TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (follower_id, following_id),
    CONSTRAINT followers_follower_id_fkey FOREIGN KEY (follower_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT followers_following_id_fkey FOREIGN KEY (following_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT followers_not_self CHECK (follower_id <> following_id)
) STRICT, WITHOUT ROWID;

-- Both lists are read newest first, and the other's id breaks ties, so that a page can go on exactly where it ended.
CREATE INDEX idx_followers_following_id ON followers (following_id, created_at DESC, follower_id DESC);
CREATE INDEX idx_followers_follower_id ON followers (follower_id, created_at DESC, following_id DESC);
