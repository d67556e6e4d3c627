-- How often an attendee's capabilities were changed: of two accounts of them the one with the higher number is the newer.
ALTER TABLE attendees ADD COLUMN capabilities_version BIGINT NOT NULL DEFAULT 0;
