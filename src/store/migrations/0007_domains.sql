-- Domains that accounts claim: pending until the TXT record with the token is found, and then one account's alone.

CREATE TABLE domains (
    account_id  TEXT   NOT NULL REFERENCES accounts (account_id),
    name        TEXT   NOT NULL,
    token       TEXT   NOT NULL,
    created_ms  BIGINT NOT NULL,
    verified_ms BIGINT,
    checked_ms  BIGINT,
    PRIMARY KEY (account_id, name)
);

CREATE UNIQUE INDEX domains_verified ON domains (name) WHERE verified_ms IS NOT NULL;
