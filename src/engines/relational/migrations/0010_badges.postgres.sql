-- What can be earned.
CREATE TABLE badges (
    id UUID NOT NULL PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    description TEXT,
    image_url VARCHAR(2048),
    -- What it adds to users.points.
    points INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now())
);

CREATE UNIQUE INDEX idx_badges_name ON badges (name);

CREATE TABLE user_badges (
    user_id UUID NOT NULL,
    badge_id UUID NOT NULL,
    awarded_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (user_id, badge_id),
    CONSTRAINT user_badges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_badges_badge_id_fkey FOREIGN KEY (badge_id) REFERENCES badges (id) ON DELETE CASCADE
);

-- Who has a badge, the newest first.
CREATE INDEX idx_user_badges_badge_id ON user_badges (badge_id, awarded_at DESC, user_id DESC);

-- Contests with a beginning, an end and a reward.
CREATE TABLE challenges (
    id UUID NOT NULL PRIMARY KEY,
    title VARCHAR(100) NOT NULL,
    description TEXT,
    start_date TIMESTAMP WITH TIME ZONE NOT NULL,
    end_date TIMESTAMP WITH TIME ZONE NOT NULL,
    -- Added to users.points of those who complete it.
    reward_points INTEGER NOT NULL DEFAULT 0,
    status VARCHAR(20) NOT NULL DEFAULT 'upcoming',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT challenges_status_known CHECK (status IN ('upcoming', 'active', 'completed')),
    CONSTRAINT challenges_ends_after_start CHECK (end_date > start_date),
    CONSTRAINT challenges_reward_points_positive CHECK (reward_points >= 0)
);

-- Those of one status, the latest first.
CREATE INDEX idx_challenges_status ON challenges (status, start_date DESC, id DESC);

CREATE TABLE user_challenges (
    user_id UUID NOT NULL,
    challenge_id UUID NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    -- NULL until it is done.
    completed_at TIMESTAMP WITH TIME ZONE,
    submission_url VARCHAR(2048),
    points_earned INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (user_id, challenge_id),
    CONSTRAINT user_challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_challenges_challenge_id_fkey FOREIGN KEY (challenge_id) REFERENCES challenges (id) ON DELETE CASCADE,
    CONSTRAINT user_challenges_points_earned_positive CHECK (points_earned >= 0)
);

-- Who takes part, the newest first.
CREATE INDEX idx_user_challenges_challenge_id ON user_challenges (challenge_id, joined_at DESC, user_id DESC);
