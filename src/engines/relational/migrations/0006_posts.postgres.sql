-- What people write, and what the news service brings. Newest first by id, which is time-ordered; one partition a year
-- (partitions.cpp).
CREATE TABLE posts (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    content TEXT NOT NULL,
    -- An array of paths below public_url.
    media_urls JSONB NOT NULL DEFAULT '[]',
    -- Kept in the transaction of the row that they count; `spaktok check` recounts them.
    likes_count INTEGER NOT NULL DEFAULT 0,
    comments_count INTEGER NOT NULL DEFAULT 0,
    -- Shown first on the profile of its author.
    is_pinned BOOLEAN NOT NULL DEFAULT FALSE,
    -- What the post points to, shown as a card.
    link_url VARCHAR(2048),
    -- 'news' for what the news service wrote.
    source VARCHAR(20) NOT NULL DEFAULT 'user',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT posts_source_known CHECK (source IN ('user', 'news')),
    CONSTRAINT posts_likes_count_positive CHECK (likes_count >= 0),
    CONSTRAINT posts_comments_count_positive CHECK (comments_count >= 0)
) PARTITION BY RANGE (id);

-- A person's posts, newest first.
CREATE INDEX idx_posts_user_id ON posts (user_id, id DESC);
-- All posts, newest first.
CREATE INDEX idx_posts_created_at ON posts (created_at DESC, id DESC);

-- A tag, in the one form that it is compared in: lower case, without the #.
CREATE TABLE tags (
    id UUID NOT NULL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT tags_name_not_empty CHECK (name <> '')
);

CREATE UNIQUE INDEX idx_tags_name ON tags (name);

CREATE TABLE post_tags (
    post_id UUID NOT NULL,
    tag_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (post_id, tag_id),
    CONSTRAINT post_tags_post_id_fkey FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT post_tags_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
);

-- The posts of a tag, newest first.
CREATE INDEX idx_post_tags_tag_id ON post_tags (tag_id, post_id DESC);
