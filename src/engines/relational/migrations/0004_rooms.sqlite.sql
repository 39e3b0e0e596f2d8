-- Where people talk. Messages are documents (chats); what a room is and who is in it has foreign keys and lives here.
CREATE TABLE rooms (
    -- A stream's room has the stream's id.
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    title TEXT,
    -- The host of a stream or the maker of a group; a group outlives its maker.
    owner_id TEXT,
    -- 0: off.
    slow_mode_seconds INTEGER NOT NULL DEFAULT 0,
    followers_only INTEGER NOT NULL DEFAULT FALSE,
    -- NULL: messages stay.
    disappear_after_seconds INTEGER,
    -- '<smaller user id>:<greater user id>' of a direct room: two people have one, whoever opens it first.
    direct_key TEXT,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT rooms_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT rooms_id_form CHECK (length(id) = 36),
    CONSTRAINT rooms_kind_known CHECK (kind IN ('direct', 'group', 'stream')),
    CONSTRAINT rooms_title_length CHECK (length(title) <= 100),
    CONSTRAINT rooms_slow_mode_seconds_range CHECK (slow_mode_seconds BETWEEN 0 AND 300),
    CONSTRAINT rooms_followers_only_boolean CHECK (followers_only IN (0, 1)),
    CONSTRAINT rooms_disappear_after_seconds_positive CHECK (disappear_after_seconds > 0),
    CONSTRAINT rooms_direct_key_with_kind CHECK ((kind = 'direct') = (direct_key IS NOT NULL)),
    CONSTRAINT rooms_direct_key_length CHECK (length(direct_key) = 73)
) STRICT;

CREATE UNIQUE INDEX idx_rooms_direct_key ON rooms (direct_key) WHERE direct_key IS NOT NULL;
CREATE INDEX idx_rooms_owner_id ON rooms (owner_id, id DESC);

CREATE TABLE room_members (
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'member',
    -- The seq of the newest message that this member has read: unread counts and "read by" follow from it.
    last_read_seq INTEGER NOT NULL DEFAULT 0,
    -- The member's own: no notifications until then.
    muted_until INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (room_id, user_id),
    CONSTRAINT room_members_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms (id) ON DELETE CASCADE,
    CONSTRAINT room_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT room_members_role_known CHECK (role IN ('owner', 'moderator', 'member')),
    CONSTRAINT room_members_last_read_seq_positive CHECK (last_read_seq >= 0)
) STRICT, WITHOUT ROWID;

-- The rooms of a person.
CREATE INDEX idx_room_members_user_id ON room_members (user_id, room_id);
