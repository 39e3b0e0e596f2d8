-- Where people talk. Messages are documents (chats); what a room is and who is in it has foreign keys and lives here.
CREATE TABLE rooms (
    -- A stream's room has the stream's id.
    id UUID NOT NULL PRIMARY KEY,
    kind VARCHAR(20) NOT NULL,
    title VARCHAR(100),
    -- The host of a stream or the maker of a group; a group outlives its maker.
    owner_id UUID,
    -- 0: off.
    slow_mode_seconds INTEGER NOT NULL DEFAULT 0,
    followers_only BOOLEAN NOT NULL DEFAULT FALSE,
    -- NULL: messages stay.
    disappear_after_seconds INTEGER,
    -- '<smaller user id>:<greater user id>' of a direct room: two people have one, whoever opens it first.
    direct_key VARCHAR(73),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT rooms_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT rooms_kind_known CHECK (kind IN ('direct', 'group', 'stream')),
    CONSTRAINT rooms_slow_mode_seconds_range CHECK (slow_mode_seconds BETWEEN 0 AND 300),
    CONSTRAINT rooms_disappear_after_seconds_positive CHECK (disappear_after_seconds > 0),
    CONSTRAINT rooms_direct_key_with_kind CHECK ((kind = 'direct') = (direct_key IS NOT NULL)),
    CONSTRAINT rooms_direct_key_length CHECK (length(direct_key) = 73)
);

CREATE UNIQUE INDEX idx_rooms_direct_key ON rooms (direct_key) WHERE direct_key IS NOT NULL;
CREATE INDEX idx_rooms_owner_id ON rooms (owner_id, id DESC);

CREATE TABLE room_members (
    room_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role VARCHAR(20) NOT NULL DEFAULT 'member',
    -- The seq of the newest message that this member has read: unread counts and "read by" follow from it.
    last_read_seq BIGINT NOT NULL DEFAULT 0,
    -- The member's own: no notifications until then.
    muted_until TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (room_id, user_id),
    CONSTRAINT room_members_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms (id) ON DELETE CASCADE,
    CONSTRAINT room_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT room_members_role_known CHECK (role IN ('owner', 'moderator', 'member')),
    CONSTRAINT room_members_last_read_seq_positive CHECK (last_read_seq >= 0)
);

-- The rooms of a person.
CREATE INDEX idx_room_members_user_id ON room_members (user_id, room_id);
