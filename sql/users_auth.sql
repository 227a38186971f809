# users_auth: the hash each user logs in with. Columns: id (of the user, 1 to 2147483647) and hash (at most 32
# characters of A-Za-z0-9=+_/).

INSERT INTO users_auth (id, hash)VALUES('12', 'a1b2c3d4' );
SELECT hash FROM users_auth WHERE id = 12;
# INSERT replaces, as it did in the original; who is connected stays so. INSERT IGNORE leaves what is there.
INSERT INTO users_auth VALUES (12, 'second');
INSERT IGNORE INTO users_auth (id, hash) VALUES (12, 'third');
SELECT * FROM users_auth WHERE id IN (11, '12', 'twelve');
# Several rows at once: the insert id is that of the last.
REPLACE INTO users_auth (hash, id) VALUES ('five', 5), ('twelve', 12), ('seven', 7);
INSERT INTO users_auth (id, hash) VALUES (5, 'cinq') ON DUPLICATE KEY UPDATE hash = VALUES(hash);
INSERT INTO users_auth (id, hash) VALUES (5, 'cinq'), (6, 'six') ON DUPLICATE KEY UPDATE hash = VALUES(hash);
SELECT * FROM users_auth;
SELECT id FROM users_auth WHERE hash = 'seven';
SELECT id, hash FROM users_auth WHERE id IN (7, 5, 7, '07') AND hash LIKE '%n%';
UPDATE users_auth SET hash = CONCAT(hash, '_2') WHERE id > 6;
UPDATE users_auth SET hash = 'six' WHERE id = 6;
SELECT COUNT(*) FROM users_auth WHERE hash LIKE '%\_2';

INSERT INTO users_auth (id) VALUES (1);
INSERT INTO users_auth (hash) VALUES ('abc');
INSERT INTO users_auth (id, hash) VALUES (0, 'abc');
INSERT INTO users_auth (id, hash) VALUES (-5, '!');
INSERT INTO users_auth (id, hash) VALUES (1, 'a b');
INSERT INTO users_auth (id, hash) VALUES (1, '0123456789abcdef0123456789abcdef0');
INSERT INTO users_auth (id, hash) VALUES (1, '');
# One row that is wrong keeps the others from being written.
INSERT INTO users_auth (id, hash) VALUES (20, 'good'), (21, 'not good');
SELECT * FROM users_auth WHERE id = 20;
INSERT INTO users_auth VALUES (1, 'abc', 2);
INSERT INTO users_auth (id, password) VALUES (1, 'abc');
INSERT INTO users_auth (id, id, hash) VALUES (1, 1, 'abc');
UPDATE users_auth SET id = 8 WHERE id = 7;
UPDATE users_auth SET hash = '' WHERE id = 7;

# DELETE closes every connection of the user.
DELETE FROM users_auth WHERE id = 5;
DELETE FROM users_auth WHERE id = 5;
DELETE FROM users_auth;
DELETE FROM users_auth WHERE hash LIKE 's%' ORDER BY id LIMIT 1;
SELECT id FROM users_auth;
TRUNCATE users_auth;
SELECT * FROM users_auth;
