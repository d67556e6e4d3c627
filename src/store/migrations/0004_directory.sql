-- Accounts and their people, chat rooms, phone numbers, voice connectors.
-- `owner` is the twelve digits of the account that calls the API; `account_id` is a UUID within it. UUIDs begin with the
-- time they were made at (RFC 9562 section 5.7), so the order of a primary key is the order of creation.

CREATE TABLE settings (
    owner    TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (owner, name)
);

CREATE TABLE accounts (
    account_id      TEXT   PRIMARY KEY,
    owner           TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    account_type    TEXT   NOT NULL,
    default_license TEXT   NOT NULL,
    -- JSON: SigninDelegateGroups, AccountSettings, RetentionSettings.
    delegate_groups TEXT   NOT NULL,
    settings        TEXT   NOT NULL,
    retention       TEXT   NOT NULL,
    created_ms      BIGINT NOT NULL
);

CREATE INDEX accounts_by_owner ON accounts (owner, account_id);
CREATE INDEX accounts_by_name ON accounts (owner, name, account_id);

CREATE TABLE users (
    user_id             TEXT   PRIMARY KEY,
    account_id          TEXT   NOT NULL REFERENCES accounts (account_id),
    -- In lower case: addresses are told apart by that. Devices have none.
    email               TEXT,
    display_name        TEXT,
    license_type        TEXT   NOT NULL,
    user_type           TEXT   NOT NULL,
    registration_status TEXT   NOT NULL,
    invitation_status   TEXT,
    registered_ms       BIGINT,
    invited_ms          BIGINT,
    personal_pin        TEXT   NOT NULL UNIQUE,
    -- JSON: AlexaForBusinessMetadata, Telephony.
    metadata            TEXT   NOT NULL,
    telephony           TEXT   NOT NULL,
    -- Who signed in before must sign in again.
    logged_out_ms       BIGINT,
    created_ms          BIGINT NOT NULL
);

CREATE INDEX users_by_account ON users (account_id, user_id);
CREATE UNIQUE INDEX users_by_email ON users (account_id, email);
CREATE INDEX users_by_any_email ON users (email);

CREATE TABLE rooms (
    room_id              TEXT   PRIMARY KEY,
    account_id           TEXT   NOT NULL REFERENCES accounts (account_id),
    name                 TEXT   NOT NULL,
    created_by           TEXT   NOT NULL,
    client_request_token TEXT,
    created_ms           BIGINT NOT NULL,
    updated_ms           BIGINT NOT NULL
);

CREATE INDEX rooms_by_account ON rooms (account_id, room_id);
CREATE UNIQUE INDEX rooms_by_token ON rooms (account_id, client_request_token);

CREATE TABLE room_memberships (
    room_id    TEXT   NOT NULL REFERENCES rooms (room_id),
    member_id  TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    invited_by TEXT   NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, member_id)
);

CREATE INDEX rooms_by_member ON room_memberships (member_id, room_id);

CREATE TABLE phone_numbers (
    e164               TEXT   PRIMARY KEY,
    owner              TEXT   NOT NULL,
    country            TEXT   NOT NULL,
    number_type        TEXT   NOT NULL,
    product_type       TEXT   NOT NULL,
    name               TEXT,
    calling_name       TEXT,
    calling_name_ms    BIGINT,
    order_id           TEXT   NOT NULL,
    -- What it is assigned to: one of the names that the API has for it, its value, and the account of a user.
    assigned_to        TEXT,
    assigned_value     TEXT,
    assigned_account   TEXT,
    assigned_ms        BIGINT,
    created_ms         BIGINT NOT NULL,
    updated_ms         BIGINT NOT NULL,
    -- In the queue of deleted numbers since.
    deleted_ms         BIGINT
);

CREATE INDEX phone_numbers_by_owner ON phone_numbers (owner, e164);
CREATE INDEX phone_numbers_by_assignment ON phone_numbers (assigned_value, assigned_to, e164);

CREATE TABLE phone_number_orders (
    order_id     TEXT   PRIMARY KEY,
    owner        TEXT   NOT NULL,
    product_type TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    -- JSON: OrderedPhoneNumbers.
    numbers      TEXT   NOT NULL,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL
);

CREATE INDEX phone_number_orders_by_owner ON phone_number_orders (owner, order_id);

CREATE TABLE voice_connectors (
    voice_connector_id TEXT   PRIMARY KEY,
    owner              TEXT   NOT NULL,
    name               TEXT   NOT NULL,
    aws_region         TEXT   NOT NULL,
    require_encryption BIGINT NOT NULL,
    integration_type   TEXT,
    network_type       TEXT   NOT NULL,
    -- JSON: Tags.
    tags               TEXT   NOT NULL,
    created_ms         BIGINT NOT NULL,
    updated_ms         BIGINT NOT NULL
);

CREATE INDEX voice_connectors_by_owner ON voice_connectors (owner, voice_connector_id);

-- What is set for a voice connector, by the API's name for it: Termination, Origination and so on.
CREATE TABLE voice_connector_settings (
    voice_connector_id TEXT NOT NULL REFERENCES voice_connectors (voice_connector_id),
    name               TEXT NOT NULL,
    document           TEXT NOT NULL,
    PRIMARY KEY (voice_connector_id, name)
);

CREATE TABLE termination_credentials (
    voice_connector_id TEXT NOT NULL REFERENCES voice_connectors (voice_connector_id),
    username           TEXT NOT NULL,
    -- Sealed; digest answers are computed with it.
    password           TEXT NOT NULL,
    PRIMARY KEY (voice_connector_id, username)
);

CREATE TABLE voice_connector_groups (
    voice_connector_group_id TEXT   PRIMARY KEY,
    owner                    TEXT   NOT NULL,
    name                     TEXT   NOT NULL,
    -- JSON: VoiceConnectorItems.
    items                    TEXT   NOT NULL,
    distribution             TEXT   NOT NULL,
    created_ms               BIGINT NOT NULL,
    updated_ms               BIGINT NOT NULL
);

CREATE INDEX voice_connector_groups_by_owner ON voice_connector_groups (owner, voice_connector_group_id);
