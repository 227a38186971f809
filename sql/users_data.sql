# users_data: a text about each user that browsers may read (getUserData). Columns: id and data (as long as a message).

INSERT INTO users_data (id, data) VALUES ('12', '{"name":"Ann","bonus":0.25}');
-- OK, 1 row affected, insert id 12
SELECT * FROM users_data WHERE id = 12;
-- id | data
-- 12 | {"name":"Ann","bonus":0.25}
-- 1 row
# Raw JSON between quotes stays what it is, and escaped text means what MySQL makes of it: comet_strings is 'auto'.
INSERT INTO users_data (id, data) VALUES (13, '{"name":"\u0410\u043d\u044f","path":"a\/b","line":"1\n2"}'), (14, '{\"name\":\"O\'Hara\"}');
-- OK, 2 rows affected, insert id 14, Records: 2  Duplicates: 0  Warnings: 0
SELECT data FROM users_data WHERE id IN (13, 14);
-- data
-- {"name":"\u0410\u043d\u044f","path":"a\/b","line":"1\n2"}
-- {"name":"O'Hara"}
-- 2 rows
SET comet_strings = 'mysql';
-- OK
INSERT INTO users_data (id, data) VALUES (13, '{"path":"a\\\\b"}');
-- OK, 1 row affected, insert id 13
SELECT data FROM users_data WHERE id = 13;
-- data
-- {"path":"a\\b"}
-- 1 row
SET comet_strings = DEFAULT;
-- OK
INSERT INTO users_data (id, data) VALUES (15, 'чай 🍵'), (16, ''), (17, 0.5);
-- OK, 3 rows affected, insert id 17, Records: 3  Duplicates: 0  Warnings: 0
SELECT id, data, CHAR_LENGTH(data) FROM users_data WHERE id > 14;
-- id | data | CHAR_LENGTH(data)
-- 15 | чай 🍵 | 5
-- 16 |  | 0
-- 17 | 0.5 | 3
-- 3 rows
REPLACE INTO users_data VALUES (16, 'something');
-- OK, 1 row affected, insert id 16
INSERT IGNORE INTO users_data VALUES (16, 'something else'), (18, 'new');
-- OK, 1 row affected, insert id 18, Records: 2  Duplicates: 1  Warnings: 0
INSERT INTO users_data (id, data) VALUES (18, 'b') ON DUPLICATE KEY UPDATE data = CONCAT(data, VALUES(data));
-- OK, 2 rows affected, insert id 18
UPDATE users_data SET data = 'tea' WHERE data LIKE '%🍵';
-- OK, 1 row affected, Rows matched: 1  Changed: 1  Warnings: 0
SELECT * FROM users_data;
-- id | data
-- 12 | {"name":"Ann","bonus":0.25}
-- 13 | {"path":"a\\b"}
-- 14 | {"name":"O'Hara"}
-- 15 | tea
-- 16 | something
-- 17 | 0.5
-- 18 | newb
-- 7 rows

INSERT INTO users_data (id) VALUES (1);
-- ERROR 12 (23000): field `data` is required: give it a value that is not NULL
INSERT INTO users_data (data) VALUES ('x');
-- ERROR 12 (23000): field `id` is required: give it a value that is not NULL
INSERT INTO users_data (id, data) VALUES ('Ann', 'x');
-- ERROR 12 (HY000): The id field must be non-negative: the number of a user is 1 to 2147483647, 'Ann' is not
UPDATE users_data SET data = NULL WHERE id = 18;
-- ERROR 12 (23000): field `data` is required: give it a value that is not NULL

DELETE FROM users_data WHERE id IN (12, 13, 99);
-- OK, 2 rows affected
DELETE FROM users_data WHERE data = 'tea';
-- OK, 1 row affected
SELECT id FROM users_data;
-- id
-- 14
-- 16
-- 17
-- 18
-- 4 rows
TRUNCATE TABLE users_data;
-- OK
SELECT COUNT(*) FROM users_data;
-- COUNT(*)
-- 0
-- 1 row
