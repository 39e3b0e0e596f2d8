-- Videos that people upload; a reel is a document, not a row here.
CREATE TABLE videos (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    title VARCHAR(100) NOT NULL,
    description TEXT,
    -- The path of the finished video: set from the start, there once status is ready.
    video_url VARCHAR(255) NOT NULL,
    thumbnail_url VARCHAR(255),
    -- Seconds; NULL until it is known.
    duration INTEGER,
    -- Flushed each second: a kill may lose that second.
    views_count INTEGER NOT NULL DEFAULT 0,
    likes_count INTEGER NOT NULL DEFAULT 0,
    comments_count INTEGER NOT NULL DEFAULT 0,
    -- Of its transcoding.
    status VARCHAR(20) NOT NULL DEFAULT 'processing',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT videos_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT videos_status_known CHECK (status IN ('processing', 'ready', 'failed')),
    CONSTRAINT videos_duration_positive CHECK (duration >= 0),
    CONSTRAINT videos_views_count_positive CHECK (views_count >= 0),
    CONSTRAINT videos_likes_count_positive CHECK (likes_count >= 0),
    CONSTRAINT videos_comments_count_positive CHECK (comments_count >= 0)
);

-- A person's videos, newest first.
CREATE INDEX idx_videos_user_id ON videos (user_id, id DESC);
-- All videos, newest first.
CREATE INDEX idx_videos_created_at ON videos (created_at DESC, id DESC);
