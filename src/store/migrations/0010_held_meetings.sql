-- The server in which somebody was in the meeting, the last one of several: it is the one to end it when nobody comes back.
ALTER TABLE meetings ADD COLUMN held_by TEXT;
CREATE INDEX meetings_held ON meetings (held_by) WHERE ended_ms IS NULL;
