-- Comments on a post, a video or a stream: on exactly one of them.
CREATE TABLE comments (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    post_id TEXT,
    video_id TEXT,
    stream_id TEXT,
    content TEXT NOT NULL,
    likes_count INTEGER NOT NULL DEFAULT 0,
    -- The comment that this one answers; answers are one level deep, which the program sees to.
    parent_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT comments_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT comments_post_id_fkey FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT comments_video_id_fkey FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    CONSTRAINT comments_stream_id_fkey FOREIGN KEY (stream_id) REFERENCES streams (id) ON DELETE CASCADE,
    CONSTRAINT comments_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES comments (id) ON DELETE CASCADE,
    CONSTRAINT comments_id_form CHECK (length(id) = 36),
    CONSTRAINT comments_one_subject CHECK ((post_id IS NOT NULL) + (video_id IS NOT NULL) + (stream_id IS NOT NULL) = 1),
    CONSTRAINT comments_likes_count_positive CHECK (likes_count >= 0),
    CONSTRAINT comments_not_own_parent CHECK (parent_id <> id)
) STRICT;

CREATE INDEX idx_comments_user_id ON comments (user_id, id DESC);
-- Pages of the comments of each, newest first.
CREATE INDEX idx_comments_post_id ON comments (post_id, id DESC) WHERE post_id IS NOT NULL;
CREATE INDEX idx_comments_video_id ON comments (video_id, id DESC) WHERE video_id IS NOT NULL;
CREATE INDEX idx_comments_stream_id ON comments (stream_id, id DESC) WHERE stream_id IS NOT NULL;
-- The answers to a comment, oldest first.
CREATE INDEX idx_comments_parent_id ON comments (parent_id, id) WHERE parent_id IS NOT NULL;

-- Who likes what: a post, a video or a comment, exactly one of them, and each at most once.
CREATE TABLE likes (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    post_id TEXT,
    video_id TEXT,
    comment_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT likes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT likes_post_id_fkey FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT likes_video_id_fkey FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE,
    CONSTRAINT likes_comment_id_fkey FOREIGN KEY (comment_id) REFERENCES comments (id) ON DELETE CASCADE,
    CONSTRAINT likes_id_form CHECK (length(id) = 36),
    CONSTRAINT likes_one_subject CHECK ((post_id IS NOT NULL) + (video_id IS NOT NULL) + (comment_id IS NOT NULL) = 1)
) STRICT;

-- One like a person and thing. (A key over COALESCE of the three is not legal SQL.)
CREATE UNIQUE INDEX idx_likes_user_id_post_id ON likes (user_id, post_id) WHERE post_id IS NOT NULL;
CREATE UNIQUE INDEX idx_likes_user_id_video_id ON likes (user_id, video_id) WHERE video_id IS NOT NULL;
CREATE UNIQUE INDEX idx_likes_user_id_comment_id ON likes (user_id, comment_id) WHERE comment_id IS NOT NULL;
-- What a person likes, newest first.
CREATE INDEX idx_likes_user_id ON likes (user_id, id DESC);
-- Who likes a thing, newest first.
CREATE INDEX idx_likes_post_id ON likes (post_id, id DESC) WHERE post_id IS NOT NULL;
CREATE INDEX idx_likes_video_id ON likes (video_id, id DESC) WHERE video_id IS NOT NULL;
CREATE INDEX idx_likes_comment_id ON likes (comment_id, id DESC) WHERE comment_id IS NOT NULL;
