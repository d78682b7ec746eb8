-- From schema version 2 to 3. Earlier sessions are those of the store's only account.

ALTER TABLE session ADD COLUMN account TEXT;
