# revoked_tokens: tokens that log in nobody any more. Columns: token (at most 4096 bytes) and, for those who name it, time
# (Unix time in seconds when it was revoked).

# INSERT revokes. If the token would have logged its user in, the user's hash goes, too, and every connection.
INSERT INTO revoked_tokens (token) VALUES ('eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl');
-- OK, 1 row affected, insert id 1
INSERT INTO revoked_tokens (token) VALUES (0.123), ("0.5");
-- OK, 2 rows affected, insert id 1, Records: 2  Duplicates: 0  Warnings: 0
SELECT * FROM revoked_tokens WHERE token = "0.123";
-- token
-- 0.123
-- 1 row
SELECT token, time FROM revoked_tokens;
-- token | time
-- 0.123 | 1700000000
-- 0.5 | 1700000000
-- eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl | 1700000000
-- 3 rows
INSERT IGNORE INTO revoked_tokens VALUES ('0.5'), ('0.7');
-- OK, 1 row affected, insert id 1, Records: 2  Duplicates: 1  Warnings: 0
REPLACE INTO revoked_tokens VALUES ('0.7');
-- OK, 1 row affected, insert id 1

INSERT INTO revoked_tokens (token) VALUES (NULL);
-- ERROR 12 (23000): field `token` is required: give it a value that is not NULL
INSERT INTO revoked_tokens (token) VALUES ('');
-- ERROR 12 (HY000): Error in token: it is empty
INSERT INTO revoked_tokens (token) VALUES ('0.8'), ('');
-- ERROR 12 (HY000): Error in token: it is empty in row 2
INSERT INTO revoked_tokens (token) VALUES ('0.7') ON DUPLICATE KEY UPDATE token = 'other';
-- ERROR 10 (HY000): Column `token` of `revoked_tokens` is read only: INSERT the new token and DELETE the old one
UPDATE revoked_tokens SET token = 'other';
-- ERROR 10 (HY000): Table `revoked_tokens` is read only for UPDATE: a token is revoked (INSERT) or is not (DELETE)

# DELETE makes it valid again.
delete from revoked_tokens where token = "0.123";
-- OK, 1 row affected
delete from revoked_tokens where token = "0.123";
-- OK
SELECT token FROM revoked_tokens WHERE token IN ('0.123', '0.5', '0.8');
-- token
-- 0.5
-- 1 row
DELETE FROM revoked_tokens WHERE token LIKE 'eyJ%';
-- OK, 1 row affected
DELETE FROM revoked_tokens;
-- ERROR 13 (42000): Selection without transferring the requested values of the primary key is not supported: say which rows of `revoked_tokens` with WHERE
TRUNCATE TABLE revoked_tokens;
-- OK
SELECT COUNT(*) FROM revoked_tokens;
-- COUNT(*)
-- 0
-- 1 row
