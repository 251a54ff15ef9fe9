-- The types are those that both databases have: in SQLite, INTEGER PRIMARY KEY is the row id, and BYTEA keeps a BLOB as
-- it is; in PostgreSQL, INTEGER has 31 bits, which is a registry of some hundred million entries.
CREATE TABLE registry_object (
    n          INTEGER  PRIMARY KEY, -- in the order of registration
    id         BYTEA    NOT NULL,    -- entryUUID, 16 bytes
    kind       SMALLINT NOT NULL,    -- 1 SubmissionSet, 2 DocumentEntry, 3 Folder, 4 Association
    deprecated SMALLINT NOT NULL,    -- availabilityStatus: 0 Approved, 1 Deprecated
    patient    TEXT,                 -- patientId
    unique_id  TEXT,                 -- uniqueId
    study      TEXT     NOT NULL,    -- of a DocumentEntry that belongs to one
    mime_type  TEXT     NOT NULL,    -- of a DocumentEntry
    hash       BYTEA,                -- of a DocumentEntry that has one: SHA-1
    digest     BYTEA,                -- of a SubmissionSet: SHA-256 of the submission
    source     BYTEA,                -- of an Association: ids
    target     BYTEA,
    body       BYTEA    NOT NULL     -- JSON of the rest
);

CREATE UNIQUE INDEX registry_object_id  ON registry_object (id);
CREATE INDEX registry_object_patient   ON registry_object (patient, kind, n) WHERE patient IS NOT NULL;
CREATE INDEX registry_object_kinds     ON registry_object (patient, study, mime_type) WHERE kind = 2;
CREATE INDEX registry_object_unique_id ON registry_object (unique_id, n)     WHERE unique_id IS NOT NULL;
CREATE INDEX registry_object_study     ON registry_object (study, n)         WHERE study <> '';
CREATE INDEX registry_object_hash      ON registry_object (hash)             WHERE hash IS NOT NULL;
CREATE INDEX registry_object_source    ON registry_object (source, n)        WHERE source IS NOT NULL;
CREATE INDEX registry_object_target    ON registry_object (target, n)        WHERE target IS NOT NULL;
