# pipes_settings: how much each pipe keeps. Columns: name (of the pipe) and length (the newest so many messages, at
# most 1000), and, for those who name it, ttl (seconds a message is kept, NULL is without end).

INSERT INTO pipes_settings ("name", 'length') VALUES ('p10', 10);
-- OK, 1 row affected
SELECT * FROM pipes_settings WHERE name = 'p10';
-- name | length
-- p10 | 10
-- 1 row
# INSERT replaces what is set, as it did in the original; INSERT IGNORE leaves it.
insert into pipes_settings (name, LENGTH) values ('p10', 20);
-- OK, 1 row affected
INSERT IGNORE INTO pipes_settings (name, length) VALUES ('p10', 30);
-- OK
SELECT length FROM pipes_settings WHERE name = 'p10';
-- length
-- 20
-- 1 row
REPLACE INTO pipes_settings VALUES ('p10', 10), ('p11', '11');
-- OK, 2 rows affected, Records: 2  Duplicates: 0  Warnings: 0
INSERT INTO pipes_settings (name, length) VALUES ('p10', 5) ON DUPLICATE KEY UPDATE length = VALUES(length) + 1;
-- OK, 2 rows affected
INSERT INTO pipes_settings (name, length) VALUES ('p12', 5) ON DUPLICATE KEY UPDATE length = VALUES(length);
-- OK, 1 row affected
# Without a length a pipe keeps nothing; more than 1000 is 1000, and so is a negative number.
INSERT INTO pipes_settings (name) VALUES ('empty');
-- OK, 1 row affected
INSERT INTO pipes_settings (name, length, ttl) VALUES ('much', 70000, 60), ('negative', -1, NULL);
-- OK, 2 rows affected, Records: 2  Duplicates: 0  Warnings: 0
SELECT * FROM pipes_settings;
-- name | length
-- empty | 0
-- much | 1000
-- negative | 1000
-- p10 | 6
-- p11 | 11
-- p12 | 5
-- 6 rows
SELECT name, length, ttl FROM pipes_settings WHERE name IN ('negative', 'much', 'unknown') AND length > 5;
-- name | length | ttl
-- negative | 1000 | NULL
-- much | 1000 | 60
-- 2 rows

UPDATE pipes_settings SET length = 7 WHERE name = 'p10';
-- OK, 1 row affected, Rows matched: 1  Changed: 1  Warnings: 0
UPDATE pipes_settings SET length = 7 WHERE name = 'p10';
-- OK, Rows matched: 1  Changed: 0  Warnings: 0
UPDATE pipes_settings SET length = length + 1, ttl = 30 WHERE name LIKE 'p1%' ORDER BY name DESC LIMIT 2;
-- OK, 2 rows affected, Rows matched: 2  Changed: 2  Warnings: 0
SELECT name, length, ttl FROM pipes_settings WHERE name LIKE 'p1_';
-- name | length | ttl
-- p10 | 7 | NULL
-- p11 | 12 | 30
-- p12 | 6 | 30
-- 3 rows

UPDATE pipes_settings AS s SET s.length = CASE s.name WHEN 'p11' THEN s.length + 1 ELSE s.length END WHERE s.name IN ('p11', 'p12');
-- OK, 1 row affected, Rows matched: 2  Changed: 1  Warnings: 0
UPDATE pipes_settings s SET length = t.length;
-- ERROR 14 (42S22): Not a specific column: there is no `t.length` in `pipes_settings`, its columns are `name`, `length`, `ttl`

INSERT INTO pipes_settings (length) VALUES (1);
-- ERROR 12 (23000): field `name` is required: give it a value that is not NULL
INSERT INTO pipes_settings (name, length) VALUES ('a', 1);
-- ERROR 17 (HY000): Channel name is too short: 'a' has 1 bytes, 3 are needed
INSERT INTO pipes_settings (name, length) VALUES ('a.b.c', 1);
-- ERROR 12 (HY000): The channel name can contain only the characters A-Za-z0-9_-: 'a.b.c' has others
INSERT INTO pipes_settings (name, length, ttl) VALUES ('abc', 1, 0);
-- ERROR 12 (HY000): The ttl field is a number of seconds from 1 to 4294967295, or NULL for no end: 0 is not
INSERT INTO pipes_settings (name, size) VALUES ('abc', 1);
-- ERROR 14 (42S22): Not a specific column: there is no `size` in `pipes_settings`, its columns are `name`, `length`, `ttl`
UPDATE pipes_settings SET name = 'other' WHERE name = 'p10';
-- ERROR 10 (HY000): Column `name` of `pipes_settings` is read only: INSERT the new name and DELETE the old one
UPDATE pipes_settings SET size = 1 WHERE name = 'p10';
-- ERROR 14 (42S22): Not a specific column: there is no `size` in `pipes_settings`, its columns are `name`, `length`, `ttl`
DELETE FROM pipes_settings;
-- ERROR 13 (42000): Selection without transferring the requested values of the primary key is not supported: say which rows of `pipes_settings` with WHERE

# DELETE removes what the pipe keeps, too.
INSERT INTO pipes_messages (name, event, message) VALUES ('p10', 'say', 'hello');
-- OK, 1 row affected, insert id 1
SELECT COUNT(*) FROM pipes_messages WHERE name = 'p10';
-- COUNT(*)
-- 1
-- 1 row
delete from  pipes_settings where name = 'p10';
-- OK, 1 row affected
SELECT COUNT(*) FROM pipes_messages WHERE name = 'p10';
-- COUNT(*)
-- 0
-- 1 row
DELETE FROM pipes_settings WHERE name = 'p10';
-- OK
DELETE FROM pipes_settings WHERE length >= 1000;
-- OK, 2 rows affected
TRUNCATE TABLE pipes_settings;
-- OK
SELECT * FROM pipes_settings;
-- name | length
-- 0 rows
