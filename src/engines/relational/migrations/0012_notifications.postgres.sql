-- What a person is told: written by the consumer of an event, which may see the event more than once.
CREATE TABLE notifications (
    id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL,
    -- 'follow', 'gift' and so on.
    type VARCHAR(50) NOT NULL,
    content TEXT NOT NULL,
    -- What it is about: a UUID or an ObjectId, as related_type says.
    related_id VARCHAR(36),
    related_type VARCHAR(50),
    -- Who did it.
    actor_id UUID,
    -- The event that it tells of; NULL for what no event brought.
    event_id UUID,
    is_read BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    CONSTRAINT notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT notifications_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT notifications_related_with_type CHECK ((related_id IS NULL) = (related_type IS NULL))
);

-- All of a person, newest first.
CREATE INDEX idx_notifications_user_id ON notifications (user_id, id DESC);
-- The unread ones. Queries say NOT is_read in their text: with a parameter the partial index does not serve them.
CREATE INDEX idx_notifications_is_read ON notifications (user_id, id DESC) WHERE NOT is_read;
-- An event is told once.
CREATE UNIQUE INDEX idx_notifications_event_id ON notifications (user_id, event_id) WHERE event_id IS NOT NULL;
