-- The three digits that an attendee appends to the meeting's ten when dialling in, so that the phone bears their
-- name, and the host's phone moderates. Attendees from before have none.

ALTER TABLE attendees ADD COLUMN dial_suffix TEXT;

CREATE UNIQUE INDEX attendees_by_suffix ON attendees (meeting_id, dial_suffix) WHERE removed_ms IS NULL;
