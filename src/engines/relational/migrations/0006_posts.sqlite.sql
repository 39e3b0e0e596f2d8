-- What people write, and what the news service brings. Newest first by id, which is time-ordered.
CREATE TABLE posts (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    content TEXT NOT NULL,
    -- An array of paths below public_url.
    media_urls TEXT NOT NULL DEFAULT '[]',
    -- Kept in the transaction of the row that they count; `spaktok check` recounts them.
    likes_count INTEGER NOT NULL DEFAULT 0,
    comments_count INTEGER NOT NULL DEFAULT 0,
    -- Shown first on the profile of its author.
    is_pinned INTEGER NOT NULL DEFAULT FALSE,
    -- What the post points to, shown as a card.
    link_url TEXT,
    -- 'news' for what the news service wrote.
    source TEXT NOT NULL DEFAULT 'user',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT posts_id_form CHECK (length(id) = 36),
    CONSTRAINT posts_media_urls_json CHECK (json_valid(media_urls)),
    CONSTRAINT posts_is_pinned_boolean CHECK (is_pinned IN (0, 1)),
    CONSTRAINT posts_link_url_length CHECK (length(link_url) <= 2048),
    CONSTRAINT posts_source_known CHECK (source IN ('user', 'news')),
    CONSTRAINT posts_likes_count_positive CHECK (likes_count >= 0),
    CONSTRAINT posts_comments_count_positive CHECK (comments_count >= 0)
) STRICT;

-- A person's posts, newest first.
CREATE INDEX idx_posts_user_id ON posts (user_id, id DESC);
-- All posts, newest first.
CREATE INDEX idx_posts_created_at ON posts (created_at DESC, id DESC);

-- A tag, in the one form that it is compared in: lower case, without the #.
CREATE TABLE tags (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT tags_id_form CHECK (length(id) = 36),
    CONSTRAINT tags_name_length CHECK (length(name) <= 50),
    CONSTRAINT tags_name_not_empty CHECK (name <> '')
) STRICT;

CREATE UNIQUE INDEX idx_tags_name ON tags (name);

CREATE TABLE post_tags (
    post_id TEXT NOT NULL,
    tag_id TEXT NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (post_id, tag_id),
    CONSTRAINT post_tags_post_id_fkey FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT post_tags_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- The posts of a tag, newest first.
CREATE INDEX idx_post_tags_tag_id ON post_tags (tag_id, post_id DESC);
