-- What a person is told: written by the consumer of an event, which may see the event more than once.
CREATE TABLE notifications (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    -- 'follow', 'gift' and so on.
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    -- What it is about: a UUID or an ObjectId, as related_type says.
    related_id TEXT,
    related_type TEXT,
    -- Who did it.
    actor_id TEXT,
    -- The event that it tells of; NULL for what no event brought.
    event_id TEXT,
    is_read INTEGER NOT NULL DEFAULT FALSE,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    CONSTRAINT notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT notifications_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT notifications_id_form CHECK (length(id) = 36),
    CONSTRAINT notifications_type_length CHECK (length(type) <= 50),
    CONSTRAINT notifications_related_id_length CHECK (length(related_id) <= 36),
    CONSTRAINT notifications_related_type_length CHECK (length(related_type) <= 50),
    CONSTRAINT notifications_is_read_boolean CHECK (is_read IN (0, 1)),
    CONSTRAINT notifications_related_with_type CHECK ((related_id IS NULL) = (related_type IS NULL))
) STRICT;

-- All of a person, newest first.
CREATE INDEX idx_notifications_user_id ON notifications (user_id, id DESC);
-- The unread ones. Queries say NOT is_read in their text: with a parameter the partial index does not serve them.
CREATE INDEX idx_notifications_is_read ON notifications (user_id, id DESC) WHERE NOT is_read;
-- An event is told once.
CREATE UNIQUE INDEX idx_notifications_event_id ON notifications (user_id, event_id) WHERE event_id IS NOT NULL;
