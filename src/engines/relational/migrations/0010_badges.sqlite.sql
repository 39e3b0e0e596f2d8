-- What can be earned.
CREATE TABLE badges (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT,
    image_url TEXT,
    -- What it adds to users.points.
    points INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT badges_id_form CHECK (length(id) = 36),
    CONSTRAINT badges_name_length CHECK (length(name) <= 50),
    CONSTRAINT badges_image_url_length CHECK (length(image_url) <= 2048)
) STRICT;

CREATE UNIQUE INDEX idx_badges_name ON badges (name);

CREATE TABLE user_badges (
    user_id TEXT NOT NULL,
    badge_id TEXT NOT NULL,
    awarded_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (user_id, badge_id),
    CONSTRAINT user_badges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_badges_badge_id_fkey FOREIGN KEY (badge_id) REFERENCES badges (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Who has a badge, the newest first.
CREATE INDEX idx_user_badges_badge_id ON user_badges (badge_id, awarded_at DESC, user_id DESC);

-- Contests with a beginning, an end and a reward.
CREATE TABLE challenges (
    id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    start_date INTEGER NOT NULL,
    end_date INTEGER NOT NULL,
    -- Added to users.points of those who complete it.
    reward_points INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'upcoming',
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT challenges_id_form CHECK (length(id) = 36),
    CONSTRAINT challenges_title_length CHECK (length(title) <= 100),
    CONSTRAINT challenges_status_known CHECK (status IN ('upcoming', 'active', 'completed')),
    CONSTRAINT challenges_ends_after_start CHECK (end_date > start_date),
    CONSTRAINT challenges_reward_points_positive CHECK (reward_points >= 0)
) STRICT;

-- Those of one status, the latest first.
CREATE INDEX idx_challenges_status ON challenges (status, start_date DESC, id DESC);

CREATE TABLE user_challenges (
    user_id TEXT NOT NULL,
    challenge_id TEXT NOT NULL,
    joined_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    -- NULL until it is done.
    completed_at INTEGER,
    submission_url TEXT,
    points_earned INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (user_id, challenge_id),
    CONSTRAINT user_challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_challenges_challenge_id_fkey FOREIGN KEY (challenge_id) REFERENCES challenges (id) ON DELETE CASCADE,
    CONSTRAINT user_challenges_submission_url_length CHECK (length(submission_url) <= 2048),
    CONSTRAINT user_challenges_points_earned_positive CHECK (points_earned >= 0)
) STRICT, WITHOUT ROWID;

-- Who takes part, the newest first.
CREATE INDEX idx_user_challenges_challenge_id ON user_challenges (challenge_id, joined_at DESC, user_id DESC);
