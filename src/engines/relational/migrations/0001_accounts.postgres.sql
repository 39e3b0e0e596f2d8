-- People and how they sign in.
CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    -- Shown and typed; unique without regard to case (idx_users_username). A deleted user keeps a placeholder.
    username VARCHAR(50) NOT NULL,
    email VARCHAR(255) NOT NULL,
    -- Argon2id in its text form, or '' where signing in is impossible (a deleted user).
    password_hash VARCHAR(255) NOT NULL,
    display_name VARCHAR(100),
    bio TEXT,
    -- A path below public_url, never a foreign address.
    profile_picture_url VARCHAR(2048),
    is_streamer BOOLEAN NOT NULL DEFAULT FALSE,
    country VARCHAR(100),
    language VARCHAR(10),
    -- An array of words.
    skills JSONB NOT NULL DEFAULT '[]',
    -- The sum of the person's points events, kept here because lists show it.
    points INTEGER NOT NULL DEFAULT 0,
    role VARCHAR(20) NOT NULL DEFAULT 'user',
    status VARCHAR(20) NOT NULL DEFAULT 'active',
    email_verified_at TIMESTAMP WITH TIME ZONE,
    -- Set by the program to the millisecond of the id; the default is for rows made by hand.
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT users_role_known CHECK (role IN ('user', 'moderator', 'admin')),
    CONSTRAINT users_status_known CHECK (status IN ('active', 'suspended', 'deleted'))
);

-- One name, however it is written. The program allows only ASCII in both, so lower() means the same in every engine.
CREATE UNIQUE INDEX idx_users_username ON users (lower(username));
CREATE UNIQUE INDEX idx_users_email ON users (lower(email));
