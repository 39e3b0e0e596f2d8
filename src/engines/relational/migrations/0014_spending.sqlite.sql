-- What a person has spent on gifts on a day (UTC), for the day's limit. Written in the transaction of the gifts, with the
-- person's wallet locked.
CREATE TABLE daily_spending (
    user_id TEXT NOT NULL,
    day TEXT NOT NULL,
    -- US cents.
    amount_minor INTEGER NOT NULL,
    created_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    updated_at INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)),
    PRIMARY KEY (user_id, day),
    CONSTRAINT daily_spending_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT daily_spending_day_form CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    CONSTRAINT daily_spending_amount_minor_positive CHECK (amount_minor > 0)
) STRICT, WITHOUT ROWID;
