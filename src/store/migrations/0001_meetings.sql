-- The deployment, who may call its API, its meetings and their attendees.
-- Types are TEXT, BIGINT and DOUBLE only, so that one file serves SQLite and PostgreSQL:
-- booleans are 0 or 1, times are milliseconds since the epoch, documents are JSON texts.

CREATE TABLE deployment (
    only_one           BIGINT PRIMARY KEY CHECK (only_one = 1),
    account_id         TEXT   NOT NULL,
    -- The voice connector that calls into meetings belong to.
    voice_connector_id TEXT   NOT NULL,
    created_ms         BIGINT NOT NULL
);

CREATE TABLE access_keys (
    access_key_id     TEXT   PRIMARY KEY,
    -- Recoverable, because the server computes signatures with it.
    secret_access_key TEXT   NOT NULL,
    account_id        TEXT   NOT NULL,
    -- The name in arn:aws:iam::<account>:user/<name>.
    user_name         TEXT   NOT NULL,
    created_ms        BIGINT NOT NULL,
    revoked_ms        BIGINT
);

CREATE TABLE meetings (
    meeting_id           TEXT   PRIMARY KEY,
    account_id           TEXT   NOT NULL,
    pin                  TEXT   NOT NULL UNIQUE,
    external_meeting_id  TEXT   NOT NULL,
    meeting_host_id      TEXT,
    media_region         TEXT   NOT NULL,
    client_request_token TEXT   NOT NULL,
    -- SHA-256 of the request that made it, to tell a retry from a reused token.
    request_digest       TEXT   NOT NULL,
    features             TEXT   NOT NULL,
    tenant_ids           TEXT   NOT NULL,
    tags                 TEXT   NOT NULL,
    notifications        TEXT   NOT NULL,
    created_ms           BIGINT NOT NULL,
    ended_ms             BIGINT
);

CREATE UNIQUE INDEX meetings_by_token ON meetings (account_id, client_request_token) WHERE ended_ms IS NULL;
CREATE INDEX meetings_by_account ON meetings (account_id, ended_ms, created_ms);

CREATE TABLE attendees (
    attendee_id      TEXT   PRIMARY KEY,
    meeting_id       TEXT   NOT NULL REFERENCES meetings (meeting_id),
    external_user_id TEXT   NOT NULL,
    join_token       TEXT   NOT NULL UNIQUE,
    audio            TEXT   NOT NULL,
    video            TEXT   NOT NULL,
    content          TEXT   NOT NULL,
    created_ms       BIGINT NOT NULL,
    removed_ms       BIGINT
);

CREATE UNIQUE INDEX attendees_by_user ON attendees (meeting_id, external_user_id) WHERE removed_ms IS NULL;
