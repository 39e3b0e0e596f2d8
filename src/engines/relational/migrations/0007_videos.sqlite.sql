-- Videos that people upload; a reel is a document, not a row here.
CREATE TABLE videos (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    -- The path of the finished video: set from the start, there once status is ready.
    video_url TEXT NOT NULL,
    thumbnail_url TEXT,
    -- Seconds; NULL until it is known.
    duration INTEGER,
    -- Flushed each second: a kill may lose that second.
    views_count INTEGER NOT NULL DEFAULT 0,
    likes_count INTEGER NOT NULL DEFAULT 0,
    comments_count INTEGER NOT NULL DEFAULT 0,
    -- Of its transcoding.
    status TEXT NOT NULL DEFAULT 'processing',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT videos_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT videos_id_form CHECK (length(id) = 36),
    CONSTRAINT videos_title_length CHECK (length(title) <= 100),
    CONSTRAINT videos_video_url_length CHECK (length(video_url) <= 255),
    CONSTRAINT videos_thumbnail_url_length CHECK (length(thumbnail_url) <= 255),
    CONSTRAINT videos_status_known CHECK (status IN ('processing', 'ready', 'failed')),
    CONSTRAINT videos_duration_positive CHECK (duration >= 0),
    CONSTRAINT videos_views_count_positive CHECK (views_count >= 0),
    CONSTRAINT videos_likes_count_positive CHECK (likes_count >= 0),
    CONSTRAINT videos_comments_count_positive CHECK (comments_count >= 0)
) STRICT;

-- A person's videos, newest first.
CREATE INDEX idx_videos_user_id ON videos (user_id, id DESC);
-- All videos, newest first.
CREATE INDEX idx_videos_created_at ON videos (created_at DESC, id DESC);
