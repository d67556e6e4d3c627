-- Join tokens and PINs are sealed from here on. They are found by a keyed hash, which the next start computes.

ALTER TABLE attendees ADD COLUMN join_token_found_by TEXT;
CREATE UNIQUE INDEX attendees_by_token ON attendees (join_token_found_by);

ALTER TABLE meetings ADD COLUMN pin_found_by TEXT;
CREATE UNIQUE INDEX meetings_by_pin ON meetings (pin_found_by);

ALTER TABLE users ADD COLUMN personal_pin_found_by TEXT;
CREATE UNIQUE INDEX users_by_pin ON users (personal_pin_found_by);

-- Pages of lists that leave most of a table out, and what is cleared away now and then, without looking at the rest.
CREATE INDEX attendees_by_meeting ON attendees (meeting_id, attendee_id) WHERE removed_ms IS NULL;
CREATE INDEX users_by_type ON users (account_id, user_type, user_id);
CREATE INDEX phone_numbers_deleted ON phone_numbers (owner, e164) WHERE deleted_ms IS NOT NULL;
CREATE INDEX phone_numbers_let_go ON phone_numbers (deleted_ms) WHERE deleted_ms IS NOT NULL;
CREATE INDEX phone_numbers_free ON phone_numbers (owner, e164) WHERE deleted_ms IS NULL AND assigned_to IS NULL;
CREATE INDEX phone_numbers_by_product ON phone_numbers (owner, product_type, e164) WHERE deleted_ms IS NULL;
CREATE INDEX phone_numbers_by_account ON phone_numbers (assigned_account, e164);
CREATE INDEX access_keys_by_account ON access_keys (account_id, created_ms, access_key_id);
