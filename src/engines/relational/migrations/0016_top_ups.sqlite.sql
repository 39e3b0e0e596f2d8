-- The provider's name for the payment itself, known once it is paid: refunds and disputes come under it.
ALTER TABLE payment_intents ADD COLUMN payment_ref TEXT
    CONSTRAINT payment_intents_payment_ref_length CHECK (length(payment_ref) <= 255);
-- Where it is paid.
ALTER TABLE payment_intents ADD COLUMN checkout_url TEXT
    CONSTRAINT payment_intents_checkout_url_length CHECK (length(checkout_url) <= 2048);
-- US cents: how much of it refunds and a lost dispute have taken back.
ALTER TABLE payment_intents ADD COLUMN taken_back_minor INTEGER NOT NULL DEFAULT 0
    CONSTRAINT payment_intents_taken_back_minor_positive CHECK (taken_back_minor >= 0);
-- The last dispute that was closed: its opening may be told of later than its end.
ALTER TABLE payment_intents ADD COLUMN closed_dispute_ref TEXT
    CONSTRAINT payment_intents_closed_dispute_ref_length CHECK (length(closed_dispute_ref) <= 255);

CREATE UNIQUE INDEX idx_payment_intents_payment_ref ON payment_intents (provider, payment_ref) WHERE payment_ref IS NOT NULL;
