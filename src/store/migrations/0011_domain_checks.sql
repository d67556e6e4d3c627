-- When the record of a domain that is pending is looked for the next time by itself; none once that has been given up.
ALTER TABLE domains ADD COLUMN next_check_ms BIGINT;
UPDATE domains SET next_check_ms = created_ms WHERE verified_ms IS NULL;
CREATE INDEX domains_to_check ON domains (next_check_ms) WHERE verified_ms IS NULL;
