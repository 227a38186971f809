# users_messages: private messages. INSERT sends one to every device of the user who is connected; it waits for one who
# is not. Columns: id (of the user), index (running number of what the user has not taken yet, the oldest is 0), event,
# message, and for those who name them position (epoch and index in the user's log), uuid and time (in Unix seconds).

INSERT INTO users_messages (id, event, message)VALUES('12', 'iziMessages', '{"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}');
-- OK, 1 row affected, insert id 1
SELECT * FROM users_messages WHERE id = 12;
-- id | index | event | message
-- 12 | 0 | iziMessages | {"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}
-- 1 row
# Several at once are sent all or none; the insert id is the index of the first in the user's log.
INSERT INTO users_messages (id, event, message) VALUES (12, '', 'second'), (12, 'say', 'third'), (7, 'say', 'hello 🍵');
-- OK, 3 rows affected, insert id 2, Records: 3  Duplicates: 0  Warnings: 0
SELECT * FROM users_messages WHERE id IN (7, 12, 99);
-- id | index | event | message
-- 7 | 0 | say | hello 🍵
-- 12 | 0 | iziMessages | {"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}
-- 12 | 1 |  | second
-- 12 | 2 | say | third
-- 4 rows
# Without an id: of everybody who has something to take.
SELECT id, `index`, message FROM users_messages;
-- id | index | message
-- 7 | 0 | hello 🍵
-- 12 | 0 | {"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}
-- 12 | 1 | second
-- 12 | 2 | third
-- 4 rows
SELECT id, position, uuid, time FROM users_messages WHERE id = 7;
-- id | position | uuid | time
-- 7 | <number>-1 | <uuid> | 1700000000
-- 1 row
SELECT COUNT(*) AS waiting FROM users_messages WHERE event = 'say';
-- waiting
-- 2
-- 1 row
# A uuid of one's own makes an INSERT repeatable, as in pipes_messages.
INSERT INTO users_messages (id, event, message, uuid) VALUES (8, 'say', 'once', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a91');
-- OK, 1 row affected, insert id 1
INSERT INTO users_messages (id, event, message, uuid) VALUES (8, 'say', 'once', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a91');
-- OK, 1 row affected, insert id 1, Records: 1  Duplicates: 1  Warnings: 0
SELECT message, uuid FROM users_messages WHERE id = 8;
-- message | uuid
-- once | <uuid>
-- 1 row
DELETE FROM users_messages WHERE id = 8;
-- OK, 1 row affected
# index may be given, as in the original, and means nothing.
INSERT INTO users_messages VALUES (3, 5, 'say', 'to who is here');
-- OK, 1 row affected, insert id 1
SELECT message FROM users_messages WHERE id = 3 AND `index` = 0;
-- message
-- to who is here
-- 1 row

INSERT INTO users_messages (event, message) VALUES ('say', 'x');
-- ERROR 12 (23000): field `id` is required: give it a value that is not NULL
INSERT INTO users_messages (id, message) VALUES (1, 'x');
-- ERROR 12 (23000): field `event` is required: give it a value that is not NULL
INSERT INTO users_messages (id, event) VALUES (1, 'say');
-- ERROR 12 (23000): field `message` is required: give it a value that is not NULL
# The original took 0 and kept it for nobody.
INSERT INTO users_messages (id, event, message) VALUES (0, 'say', 'x');
-- ERROR 12 (HY000): The id field must be non-negative: the number of a user is 1 to 2147483647, '0' is not
INSERT INTO users_messages (id, event, message) VALUES (1, 'say', 'x'), (-1, 'say', 'x');
-- ERROR 12 (HY000): The id field must be non-negative: the number of a user is 1 to 2147483647, '-1' is not in row 2
INSERT INTO users_messages (id, event, message) VALUES (1, 'say it', 'x');
-- ERROR 12 (HY000): The channel name can contain only the characters A-Za-z0-9_-, and so can the event: 'say it' has others
INSERT INTO users_messages (id, event, message) VALUES (1, 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'x');
-- ERROR 11 (22001): Channel event_name is too long: it has 65 bytes, 64 are allowed
SELECT COUNT(*) FROM users_messages WHERE id = 1;
-- COUNT(*)
-- 0
-- 1 row
UPDATE users_messages SET message = 'other' WHERE id = 12;
-- ERROR 10 (HY000): Table `users_messages` is read only for UPDATE: DELETE the message and INSERT the other one
TRUNCATE users_messages;
-- ERROR 2 (HY000): TRUNCATE of `users_messages` is not implemented: DELETE FROM users_messages WHERE id = … clears one user

# DELETE takes back what has not been taken: exactly the rows it names.
DELETE FROM users_messages WHERE id = 12 AND `index` = 1;
-- OK, 1 row affected
SELECT * FROM users_messages WHERE id = 12;
-- id | index | event | message
-- 12 | 0 | iziMessages | {"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}
-- 12 | 1 | say | third
-- 2 rows
DELETE FROM users_messages WHERE event = 'say' ORDER BY id DESC LIMIT 1;
-- OK, 1 row affected
DELETE FROM users_messages WHERE id = 12;
-- OK, 1 row affected
DELETE FROM users_messages WHERE id = 12;
-- OK
DELETE FROM users_messages;
-- ERROR 13 (42000): Selection without transferring the requested values of the primary key is not supported: say which rows of `users_messages` with WHERE
SELECT id, message FROM users_messages;
-- id | message
-- 3 | to who is here
-- 7 | hello 🍵
-- 2 rows
