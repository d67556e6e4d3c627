-- A list of phone numbers for each filter: the rows that are on it and no others, in the order of its pages.
-- Of two indexes that would do, SQLite takes the later one: those with fewer rows come after those with more.
DROP INDEX phone_numbers_by_owner;
DROP INDEX phone_numbers_free;
CREATE INDEX phone_numbers_listed ON phone_numbers (owner, e164) WHERE deleted_ms IS NULL;
CREATE INDEX phone_numbers_free ON phone_numbers (owner, e164) WHERE deleted_ms IS NULL AND assigned_to IS NULL;
CREATE INDEX phone_numbers_assigned ON phone_numbers (owner, e164) WHERE deleted_ms IS NULL AND assigned_to IS NOT NULL;
CREATE INDEX phone_numbers_free_by_product ON phone_numbers (owner, product_type, e164)
    WHERE deleted_ms IS NULL AND assigned_to IS NULL;
CREATE INDEX phone_numbers_assigned_by_product ON phone_numbers (owner, product_type, e164)
    WHERE deleted_ms IS NULL AND assigned_to IS NOT NULL;
CREATE INDEX phone_numbers_deleted_by_product ON phone_numbers (owner, product_type, e164) WHERE deleted_ms IS NOT NULL;
