-- What was asked of the API: an entry each, for 90 days. The ids are UUIDs of version 7, so that their order is that of time
-- and the key of a page is one column. A text that is not known is empty.
CREATE TABLE audit_entries (
    event_id      TEXT PRIMARY KEY,
    -- The AWS account that it happened in.
    owner         TEXT NOT NULL,
    -- Management, of every entry so far.
    event_category TEXT NOT NULL,
    event_name    TEXT NOT NULL,
    event_source  TEXT NOT NULL,
    user_name     TEXT NOT NULL,
    access_key_id TEXT NOT NULL,
    -- true or false, as it is asked for.
    read_only     TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    -- JSON: all of it.
    document      TEXT NOT NULL
);

-- One for each attribute that can be asked for, so that a rare value is as cheap to find as a common one.
-- All of them have three columns: an index on owner and event_id alone would be taken for any of these lookups.
CREATE INDEX audit_entries_by_event_category ON audit_entries (owner, event_category, event_id);
CREATE INDEX audit_entries_by_event_name ON audit_entries (owner, event_name, event_id);
CREATE INDEX audit_entries_by_event_source ON audit_entries (owner, event_source, event_id);
CREATE INDEX audit_entries_by_user_name ON audit_entries (owner, user_name, event_id);
CREATE INDEX audit_entries_by_access_key_id ON audit_entries (owner, access_key_id, event_id);
CREATE INDEX audit_entries_by_read_only ON audit_entries (owner, read_only, event_id);
CREATE INDEX audit_entries_by_resource_type ON audit_entries (owner, resource_type, event_id);
CREATE INDEX audit_entries_by_resource_name ON audit_entries (owner, resource_name, event_id);
