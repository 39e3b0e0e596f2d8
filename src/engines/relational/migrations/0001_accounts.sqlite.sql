-- People and how they sign in.
-- Forms used in every SQLite migration: ids are UUIDs in canonical text, times are Unix milliseconds, booleans are 0 or 1,
-- JSON is text, and each length that PostgreSQL's type states is a named CHECK (length() counts characters in both).
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    -- Shown and typed; unique without regard to case (idx_users_username). A deleted user keeps a placeholder.
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    -- Argon2id in its text form, or '' where signing in is impossible (a deleted user).
    password_hash TEXT NOT NULL,
    display_name TEXT,
    bio TEXT,
    -- A path below public_url, never a foreign address.
    profile_picture_url TEXT,
    is_streamer INTEGER NOT NULL DEFAULT FALSE,
    country TEXT,
    language TEXT,
    -- An array of words.
    skills TEXT NOT NULL DEFAULT '[]',
    -- The sum of the person's points events, kept here because lists show it.
    points INTEGER NOT NULL DEFAULT 0,
    role TEXT NOT NULL DEFAULT 'user',
    status TEXT NOT NULL DEFAULT 'active',
    email_verified_at INTEGER,
    -- Set by the program to the millisecond of the id; the default is for rows made by hand.
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT users_id_form CHECK (length(id) = 36),
    CONSTRAINT users_username_length CHECK (length(username) <= 50),
    CONSTRAINT users_email_length CHECK (length(email) <= 255),
    CONSTRAINT users_password_hash_length CHECK (length(password_hash) <= 255),
    CONSTRAINT users_display_name_length CHECK (length(display_name) <= 100),
    CONSTRAINT users_profile_picture_url_length CHECK (length(profile_picture_url) <= 2048),
    CONSTRAINT users_is_streamer_boolean CHECK (is_streamer IN (0, 1)),
    CONSTRAINT users_country_length CHECK (length(country) <= 100),
    CONSTRAINT users_language_length CHECK (length(language) <= 10),
    CONSTRAINT users_skills_json CHECK (json_valid(skills)),
    CONSTRAINT users_role_known CHECK (role IN ('user', 'moderator', 'admin')),
    CONSTRAINT users_status_known CHECK (status IN ('active', 'suspended', 'deleted'))
) STRICT;

-- One name, however it is written. The program allows only ASCII in both, so lower() means the same in every engine.
CREATE UNIQUE INDEX idx_users_username ON users (lower(username));
CREATE UNIQUE INDEX idx_users_email ON users (lower(email));
