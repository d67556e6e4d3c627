-- Owner accounts, who acts in them, what they may do, and with which keys.
-- Texts that begin with "sealed:" are encrypted for their table, column and row.

CREATE TABLE owner_accounts (
    account_id TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Users and roles.
CREATE TABLE principals (
    -- AIDA… of a user, AROA… of a role.
    principal_id        TEXT   PRIMARY KEY,
    account_id          TEXT   NOT NULL REFERENCES owner_accounts (account_id),
    -- 'user' or 'role'.
    kind                TEXT   NOT NULL,
    name                TEXT   NOT NULL,
    -- Who may take the role; users have none.
    trust_policy        TEXT,
    max_session_seconds BIGINT NOT NULL,
    created_ms          BIGINT NOT NULL
);

-- Names differ by more than case.
CREATE UNIQUE INDEX principals_by_name ON principals (account_id, kind, lower(name));

CREATE TABLE principal_policies (
    principal_id TEXT   NOT NULL REFERENCES principals (principal_id),
    -- The ARN of a managed policy, or the name of one of the principal's own.
    name         TEXT   NOT NULL,
    -- The text of its own; a managed one has none.
    document     TEXT,
    created_ms   BIGINT NOT NULL,
    PRIMARY KEY (principal_id, name)
);

-- A key from before this migration finds its user at the next start.
ALTER TABLE access_keys ADD COLUMN principal_id TEXT;
-- Out of use until somebody activates it again; revoking is for good.
ALTER TABLE access_keys ADD COLUMN inactive_ms BIGINT;
-- Within a minute.
ALTER TABLE access_keys ADD COLUMN last_used_ms BIGINT;

CREATE INDEX access_keys_by_principal ON access_keys (principal_id);

-- Temporary credentials.
CREATE TABLE sessions (
    -- ASIA…
    access_key_id     TEXT   PRIMARY KEY,
    secret_access_key TEXT   NOT NULL,
    -- SHA-256 of the session token.
    token_digest      TEXT   NOT NULL,
    account_id        TEXT   NOT NULL,
    -- 'user', 'role' or 'federated'.
    kind              TEXT   NOT NULL,
    -- The user or role that the session acts for, and whose policies hold at each request.
    principal_id      TEXT   NOT NULL REFERENCES principals (principal_id),
    -- The role session's or the federated user's.
    name              TEXT   NOT NULL,
    -- A JSON list of policies that narrow what the principal may do; NULL where there is no such limit.
    policies          TEXT,
    created_ms        BIGINT NOT NULL,
    expires_ms        BIGINT NOT NULL
);

CREATE INDEX sessions_by_principal ON sessions (principal_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);

-- Proves that the master key is the one that the rest was sealed with.
CREATE TABLE seal_proof (
    only_one BIGINT PRIMARY KEY CHECK (only_one = 1),
    proof    TEXT   NOT NULL
);
