-- What a person has spent on gifts on a day (UTC), for the day's limit. Written in the transaction of the gifts, with the
-- person's wallet locked.
CREATE TABLE daily_spending (
    user_id UUID NOT NULL,
    day DATE NOT NULL,
    -- US cents.
    amount_minor BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT date_trunc('milliseconds', now()),
    PRIMARY KEY (user_id, day),
    CONSTRAINT daily_spending_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT daily_spending_amount_minor_positive CHECK (amount_minor > 0)
);
