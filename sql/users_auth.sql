# users_auth: the hash each user logs in with. Columns: id (of the user, 1 to 2147483647) and hash (at most 32
# characters of A-Za-z0-9=+_/).

INSERT INTO users_auth (id, hash)VALUES('12', 'a1b2c3d4' );
-- OK, 1 row affected, insert id 12
SELECT hash FROM users_auth WHERE id = 12;
-- hash
-- a1b2c3d4
-- 1 row
# INSERT replaces, as it did in the original; who is connected stays so. INSERT IGNORE leaves what is there.
INSERT INTO users_auth VALUES (12, 'second');
-- OK, 1 row affected, insert id 12
INSERT IGNORE INTO users_auth (id, hash) VALUES (12, 'third');
-- OK
SELECT * FROM users_auth WHERE id IN (11, '12', 'twelve');
-- id | hash
-- 12 | second
-- 1 row
# Several rows at once: the insert id is that of the last.
REPLACE INTO users_auth (hash, id) VALUES ('five', 5), ('twelve', 12), ('seven', 7);
-- OK, 3 rows affected, insert id 7, Records: 3  Duplicates: 0  Warnings: 0
INSERT INTO users_auth (id, hash) VALUES (5, 'cinq') ON DUPLICATE KEY UPDATE hash = VALUES(hash);
-- OK, 2 rows affected, insert id 5
INSERT INTO users_auth (id, hash) VALUES (5, 'cinq'), (6, 'six') ON DUPLICATE KEY UPDATE hash = VALUES(hash);
-- OK, 1 row affected, insert id 6, Records: 2  Duplicates: 1  Warnings: 0
SELECT * FROM users_auth;
-- id | hash
-- 5 | cinq
-- 6 | six
-- 7 | seven
-- 12 | twelve
-- 4 rows
SELECT id FROM users_auth WHERE hash = 'seven';
-- id
-- 7
-- 1 row
SELECT id, hash FROM users_auth WHERE id IN (7, 5, 7, '07') AND hash LIKE '%n%';
-- id | hash
-- 7 | seven
-- 5 | cinq
-- 2 rows
UPDATE users_auth SET hash = CONCAT(hash, '_2') WHERE id > 6;
-- OK, 2 rows affected, Rows matched: 2  Changed: 2  Warnings: 0
UPDATE users_auth SET hash = 'six' WHERE id = 6;
-- OK, Rows matched: 1  Changed: 0  Warnings: 0
SELECT COUNT(*) FROM users_auth WHERE hash LIKE '%\_2';
-- COUNT(*)
-- 2
-- 1 row

INSERT INTO users_auth (id) VALUES (1);
-- ERROR 12 (23000): field `hash` is required: give it a value that is not NULL
INSERT INTO users_auth (hash) VALUES ('abc');
-- ERROR 12 (23000): field `id` is required: give it a value that is not NULL
INSERT INTO users_auth (id, hash) VALUES (0, 'abc');
-- ERROR 12 (HY000): The id field must be non-negative: the number of a user is 1 to 2147483647, '0' is not
INSERT INTO users_auth (id, hash) VALUES (-5, '!');
-- ERROR 12 (HY000): The id field must be non-negative: the number of a user is 1 to 2147483647, '-5' is not
INSERT INTO users_auth (id, hash) VALUES (1, 'a b');
-- ERROR 12 (HY000): Contains an invalid characters in the string hash: it can contain only A-Za-z0-9=+_/
INSERT INTO users_auth (id, hash) VALUES (1, '0123456789abcdef0123456789abcdef0');
-- ERROR 11 (22001): Hash string is too long: it has 33 bytes, 32 are allowed
INSERT INTO users_auth (id, hash) VALUES (1, '');
-- ERROR 12 (HY000): Hash string is empty: it would log in nobody; DELETE the row to keep a user from logging in
# One row that is wrong keeps the others from being written.
INSERT INTO users_auth (id, hash) VALUES (20, 'good'), (21, 'not good');
-- ERROR 12 (HY000): Contains an invalid characters in the string hash: it can contain only A-Za-z0-9=+_/ in row 2
SELECT * FROM users_auth WHERE id = 20;
-- id | hash
-- 0 rows
INSERT INTO users_auth VALUES (1, 'abc', 2);
-- ERROR 14 (21S01): Error in columns list: 2 columns and 3 values
INSERT INTO users_auth (id, password) VALUES (1, 'abc');
-- ERROR 14 (42S22): Not a specific column: there is no `password` in `users_auth`, its columns are `id`, `hash`
INSERT INTO users_auth (id, id, hash) VALUES (1, 1, 'abc');
-- ERROR 13 (42000): Each column in the insert used only once: `id` is there twice
UPDATE users_auth SET id = 8 WHERE id = 7;
-- ERROR 10 (HY000): Column `id` of `users_auth` is read only: INSERT the new id and DELETE the old one
UPDATE users_auth SET hash = '' WHERE id = 7;
-- ERROR 12 (HY000): Hash string is empty: it would log in nobody; DELETE the row to keep a user from logging in

# DELETE closes every connection of the user.
DELETE FROM users_auth WHERE id = 5;
-- OK, 1 row affected
DELETE FROM users_auth WHERE id = 5;
-- OK
DELETE FROM users_auth;
-- ERROR 13 (42000): Selection without transferring the requested values of the primary key is not supported: say which rows of `users_auth` with WHERE
DELETE FROM users_auth WHERE hash LIKE 's%' ORDER BY id LIMIT 1;
-- OK, 1 row affected
SELECT id FROM users_auth;
-- id
-- 7
-- 12
-- 2 rows
TRUNCATE users_auth;
-- OK
SELECT * FROM users_auth;
-- id | hash
-- 0 rows
