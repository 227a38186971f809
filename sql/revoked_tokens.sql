# revoked_tokens: tokens that log in nobody any more. Columns: token (at most 4096 bytes) and, for those who name it, time
# (Unix time in seconds when it was revoked).

# INSERT revokes. If the token would have logged its user in, the user's hash goes, too, and every connection.
INSERT INTO revoked_tokens (token) VALUES ('eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl');
INSERT INTO revoked_tokens (token) VALUES (0.123), ("0.5");
SELECT * FROM revoked_tokens WHERE token = "0.123";
SELECT token, time FROM revoked_tokens;
INSERT IGNORE INTO revoked_tokens VALUES ('0.5'), ('0.7');
REPLACE INTO revoked_tokens VALUES ('0.7');

INSERT INTO revoked_tokens (token) VALUES (NULL);
INSERT INTO revoked_tokens (token) VALUES ('');
INSERT INTO revoked_tokens (token) VALUES ('0.8'), (REPEAT('x', 4097));
INSERT INTO revoked_tokens (token) VALUES ('0.7') ON DUPLICATE KEY UPDATE token = 'other';
UPDATE revoked_tokens SET token = 'other';

# DELETE makes it valid again.
delete from revoked_tokens where token = "0.123";
delete from revoked_tokens where token = "0.123";
SELECT token FROM revoked_tokens WHERE token IN ('0.123', '0.5', '0.8');
DELETE FROM revoked_tokens WHERE token LIKE 'eyJ%';
DELETE FROM revoked_tokens;
TRUNCATE TABLE revoked_tokens;
SELECT COUNT(*) FROM revoked_tokens;
