-- When a document was put into a folder (DTM), of the Associations that say so. What was put there before this column came
-- has none, and counts as put there when the folder says that it was last updated.
ALTER TABLE registry_object ADD COLUMN added TEXT;
