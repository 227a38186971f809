# pipes_messages: INSERT publishes a message to everyone who is subscribed to its pipe; SELECT reads what the pipe
# keeps, DELETE takes out of that. Columns:
#   id        UUID of the message              time     unix time in seconds
#   name      name of the pipe                 index    running number in what the pipe keeps, the oldest is 0
#   event     name of the event                message  text of the message
#   user_id   who sent it, 0 for a backend
# and, for those who name them: position (`epoch-index`: an epoch's indexes count 1, 2, 3 … and are never used
# twice) and uuid (the same as id; given to INSERT, it makes the statement repeatable).

# A pipe keeps what pipes_settings says.
INSERT INTO pipes_settings (name, length) VALUES ('chat', 10);
-- OK, 1 row affected

# Publishing. The insert id is the index of the (first) message's position.
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'hello');
-- OK, 1 row affected, insert id 1
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'second'), ('chat', '', 'third');
-- OK, 2 rows affected, insert id 2, Records: 2  Duplicates: 0  Warnings: 0
INSERT INTO `CometQL_v1`.`pipes_messages`(`name`,`event`,`message`)values('chat','say','fourth');
-- OK, 1 row affected, insert id 4
INSERT INTO pipes_messages SET name = 'chat', event = 'shout', message = 'fifth';
-- OK, 1 row affected, insert id 5
INSERT IGNORE INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'sixth');
-- OK, 1 row affected, insert id 6
REPLACE INTO pipes_messages (NAME, Event, message) VALUES ('chat', 'say', 'seventh');
-- OK, 1 row affected, insert id 7
# Nobody keeps what this pipe gets.
INSERT INTO pipes_messages (name, event, message) VALUES ("web_MainPageChat", "", '{ "text":"My text","name":"My name"}' );
-- OK, 1 row affected, insert id 1
# Columns that are not the client's to say are accepted and have no effect; all seven in order without a list.
INSERT INTO pipes_messages VALUES ('', 0, 'other', 0, 'say', 'all columns', 99);
-- OK, 1 row affected, insert id 1
INSERT INTO pipes_messages (name, event, message, id, user_id) VALUES ('other', 'say', 'x', DEFAULT, 5);
-- OK, 1 row affected, insert id 2

# A uuid of one's own makes an INSERT repeatable: said once more within five minutes, because no answer was heard the
# first time, it publishes nothing twice and is answered as it was.
INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('once', 'say', 'hello', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90');
-- OK, 1 row affected, insert id 1
INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('once', 'say', 'hello', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90');
-- OK, 1 row affected, insert id 1, Records: 1  Duplicates: 1  Warnings: 0
INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('once', 'say', 'hello', '018C29F49B327C1E8A553D1F0E6B7A90'), ('once', 'say', 'new', NULL);
-- OK, 2 rows affected, insert id 1, Records: 2  Duplicates: 1  Warnings: 0
INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('once', 'say', 'hello', 'order 17');
-- ERROR 12 (HY000): The uuid field is a UUID such as 018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90, or NULL for a new one: 'order 17' is not
# The same uuid on another pipe is another message.
INSERT INTO pipes_messages (name, event, message, uuid) VALUES ('twice', 'say', 'hello', '018c29f4-9b32-7c1e-8a55-3d1f0e6b7a90');
-- OK, 1 row affected, insert id 1

# Reading: oldest first.
SELECT * FROM pipes_messages WHERE name = 'chat';
-- id | time | name | index | event | message | user_id
-- <uuid> | 1700000000 | chat | 0 | say | hello | 0
-- <uuid> | 1700000000 | chat | 1 | say | second | 0
-- <uuid> | 1700000000 | chat | 2 |  | third | 0
-- <uuid> | 1700000000 | chat | 3 | say | fourth | 0
-- <uuid> | 1700000000 | chat | 4 | shout | fifth | 0
-- <uuid> | 1700000000 | chat | 5 | say | sixth | 0
-- <uuid> | 1700000000 | chat | 6 | say | seventh | 0
-- 7 rows
SELECT name, message, position, uuid FROM pipes_messages WHERE name = 'chat' LIMIT 1;
-- name | message | position | uuid
-- chat | hello | <number>-1 | <uuid>
-- 1 row
SELECT message FROM pipes_messages WHERE name IN ('nothing', 'chat') AND event = 'say' AND message LIKE 's%';
-- message
-- second
-- sixth
-- seventh
-- 3 rows
SELECT message, `index` FROM pipes_messages WHERE name = 'chat' ORDER BY `index` DESC LIMIT 2;
-- message | index
-- seventh | 6
-- sixth | 5
-- 2 rows
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 1, 2;
-- message
-- second
-- third
-- 2 rows
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 2 OFFSET 5;
-- message
-- sixth
-- seventh
-- 2 rows
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 0;
-- message
-- 0 rows
SELECT `M`.`name` AS `M_name`, M.event FROM `pipes_messages` `M` WHERE (`M`.`name` = 'chat') AND NOT M.event <> '';
-- M_name | event
-- chat | 
-- 1 row
SELECT pipes_messages.message FROM pipes_messages WHERE pipes_messages.name = 'chat' AND (`index` < 1 OR `index` BETWEEN 5 AND 6);
-- message
-- hello
-- sixth
-- seventh
-- 3 rows
SELECT DISTINCT event FROM pipes_messages WHERE name = 'chat';
-- event
-- say
-- 
-- shout
-- 3 rows
SELECT DISTINCT event FROM pipes_messages WHERE name = 'chat' ORDER BY event LIMIT 1, 1;
-- event
-- say
-- 1 row
SELECT COUNT(*) FROM pipes_messages WHERE name = 'chat';
-- COUNT(*)
-- 7
-- 1 row
SELECT COUNT(*) AS `__count`, MIN(message), MAX(`index`) + 1 AS next FROM pipes_messages WHERE name = 'chat' AND event = 'say';
-- __count | MIN(message) | next
-- 5 | fourth | 7
-- 1 row
SELECT 1 AS `a` FROM pipes_messages WHERE name = 'chat' LIMIT 1;
-- a
-- 1
-- 1 row
select exists(select * from `pipes_messages` where `name` = 'chat') as `exists`;
-- exists
-- 1
-- 1 row
SELECT (SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 1) AS first;
-- first
-- hello
-- 1 row
SELECT * FROM pipes_messages WHERE 1=0;
-- id | time | name | index | event | message | user_id
-- 0 rows
SELECT message FROM pipes_messages WHERE name = 'nothing';
-- message
-- 0 rows
# Without a name: everything that is kept, in the order of the names.
SELECT name, message FROM pipes_messages WHERE user_id = 0 LIMIT 2;
-- name | message
-- chat | hello
-- chat | second
-- 2 rows
SELECT COUNT(*) FROM pipes_messages;
-- COUNT(*)
-- 7
-- 1 row
# A bare word is a text, as it was for the original.
SELECT message FROM pipes_messages WHERE name = chat LIMIT 1;
-- message
-- hello
-- 1 row

# CASE, letter by letter, and a SELECT in FROM, as tools that page through a table send it.
SELECT message, CASE WHEN `index` < 2 THEN 'early' WHEN `index` = 2 THEN 'then' END AS phase FROM pipes_messages WHERE name = 'chat' LIMIT 4;
-- message | phase
-- hello | early
-- second | early
-- third | then
-- fourth | NULL
-- 4 rows
SELECT SUM(CASE WHEN message LIKE BINARY 'S%' THEN 1 ELSE 0 END) AS large, SUM(CASE WHEN message LIKE BINARY 's%' THEN 1 ELSE 0 END) AS small FROM pipes_messages WHERE BINARY name = 'chat';
-- large | small
-- 0 | 3
-- 1 row
SELECT COUNT(*) FROM (SELECT id FROM pipes_messages WHERE name = 'chat' LIMIT 3) AS a;
-- COUNT(*)
-- 3
-- 1 row
SELECT a.message AS m, `a`.place + 1 FROM (SELECT message, `index` AS place FROM pipes_messages WHERE name = 'chat' ORDER BY `index` DESC) AS a WHERE a.place > 2 LIMIT 2;
-- m | `a`.place + 1
-- seventh | 7
-- sixth | 6
-- 2 rows
SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM (SELECT 1 AS one FROM pipes_messages WHERE name = 'chat') AS a) AS b;
-- MAX(n)
-- 7
-- 1 row
SELECT * FROM (SELECT name, event AS name FROM pipes_messages) AS a;
-- ERROR 1060 (42S21): Duplicate column name 'name': give one of them an alias with AS
SELECT message FROM (SELECT name FROM pipes_messages) AS a;
-- ERROR 14 (42S22): Not a specific column: there is no `message` in `a`, its columns are `name`

# How the text of a message is read: raw JSON means itself, escaped text means what it was before it was escaped.
INSERT INTO pipes_settings (name, length) VALUES ('json', 10);
-- OK, 1 row affected
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'raw', '{"u":"\u043f","p":"a\/b"}');
-- OK, 1 row affected, insert id 1
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'escaped', '{\"u\":\"\\u043f\",\"it\":\"it\'s\"}');
-- OK, 1 row affected, insert id 2
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'text', 'it''s\nit');
-- OK, 1 row affected, insert id 3
SET comet_strings = 'mysql';
-- OK
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'mysql', '{"u":"\u043f"}');
-- OK, 1 row affected, insert id 4
SET comet_strings = 'auto';
-- OK
SELECT event, message FROM pipes_messages WHERE name = 'json';
-- event | message
-- raw | {"u":"\u043f","p":"a\/b"}
-- escaped | {"u":"\u043f","it":"it's"}
-- text | it's\nit
-- mysql | {"u":"u043f"}
-- 4 rows

# What is wrong is said before anything is published.
INSERT INTO pipes_messages (event, message) VALUES ('say', 'x');
-- ERROR 12 (23000): field `name` is required: give it a value that is not NULL
INSERT INTO pipes_messages (name, message) VALUES ('chat', 'x');
-- ERROR 12 (23000): field `event` is required: give it a value that is not NULL
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', NULL);
-- ERROR 12 (23000): field `message` is required: give it a value that is not NULL
INSERT INTO pipes_messages (name, event, message) VALUES ('ab', 'say', 'x');
-- ERROR 17 (HY000): Channel name is too short: 'ab' has 2 bytes, 3 are needed
INSERT INTO pipes_messages (name, event, message) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'say', 'x');
-- ERROR 11 (22001): Channel name is too long: it has 65 bytes, 64 are allowed
INSERT INTO pipes_messages (name, event, message) VALUES ('a pipe', 'say', 'x');
-- ERROR 12 (HY000): The channel name can contain only the characters A-Za-z0-9_-: 'a pipe' has others
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'good'), ('chat', 'not good', 'x');
-- ERROR 12 (HY000): The channel name can contain only the characters A-Za-z0-9_-, and so can the event: 'not good' has others in row 2
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'x');
-- ERROR 11 (22001): Channel event_name is too long: it has 65 bytes, 64 are allowed
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say');
-- ERROR 14 (21S01): Error in columns list: 3 columns and 2 values
INSERT INTO pipes_messages VALUES ('chat', 'say', 'x');
-- ERROR 14 (21S01): Error in columns list: 7 columns and 3 values
INSERT INTO pipes_messages (name, event, text) VALUES ('chat', 'say', 'x');
-- ERROR 14 (42S22): Not a specific column: there is no `text` in `pipes_messages`, its columns are `id`, `time`, `name`, `index`, `event`, `message`, `user_id`, `position`, `uuid`
INSERT INTO pipes_messages (name, event, name) VALUES ('chat', 'say', 'x');
-- ERROR 13 (42000): Each column in the insert used only once: `name` is there twice
SELECT text FROM pipes_messages WHERE name = 'chat';
-- ERROR 14 (42S22): Not a specific column: there is no `text` in `pipes_messages`, its columns are `id`, `time`, `name`, `index`, `event`, `message`, `user_id`, `position`, `uuid`
SELECT message FROM pipes_messages WHERE text = 'chat';
-- ERROR 14 (42S22): Not a specific column: there is no `text` in `pipes_messages`, its columns are `id`, `time`, `name`, `index`, `event`, `message`, `user_id`, `position`, `uuid`
SELECT message FROM pipes_messages WHERE name = 'chat' ORDER BY text;
-- ERROR 14 (42S22): Not a specific column: there is no `text` in `pipes_messages`, its columns are `id`, `time`, `name`, `index`, `event`, `message`, `user_id`, `position`, `uuid`
UPDATE pipes_messages SET message = 'y' WHERE name = 'chat';
-- ERROR 10 (HY000): Table `pipes_messages` is read only for UPDATE: what was published has been delivered; publish again with INSERT
TRUNCATE pipes_messages;
-- ERROR 2 (HY000): TRUNCATE of `pipes_messages` is not implemented: DELETE FROM pipes_messages WHERE name = '…' clears one pipe
DELETE FROM pipes_messages;
-- ERROR 13 (42000): Selection without transferring the requested values of the primary key is not supported: say which rows of `pipes_messages` with WHERE
SELECT COUNT(*) FROM pipes_messages WHERE name = 'chat';
-- COUNT(*)
-- 7
-- 1 row

# Deleting: exactly what the conditions and LIMIT say.
DELETE FROM `pipes_messages` WHERE `name` = 'chat' AND `event` = 'say' AND `message` = 'fourth' LIMIT 1;
-- OK, 1 row affected
DELETE FROM pipes_messages WHERE name = 'chat' AND event = 'say' LIMIT 1;
-- OK, 1 row affected
DELETE FROM pipes_messages WHERE name = 'chat' ORDER BY `index` DESC LIMIT 1;
-- OK, 1 row affected
DELETE FROM pipes_messages WHERE id = 'no such message';
-- OK
SELECT message, `index` FROM pipes_messages WHERE name = 'chat';
-- message | index
-- second | 0
-- third | 1
-- fifth | 2
-- sixth | 3
-- 4 rows
DELETE FROM pipes_messages WHERE name = 'chat';
-- OK, 4 rows affected
SELECT message FROM pipes_messages WHERE name = 'chat';
-- message
-- 0 rows
# Indexes are never used twice.
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'eighth');
-- OK, 1 row affected, insert id 8
# A transaction holds nothing back.
BEGIN;
-- OK
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'ninth');
-- OK, 1 row affected, insert id 9
ROLLBACK;
-- OK
SELECT message FROM pipes_messages WHERE name = 'chat';
-- message
-- eighth
-- ninth
-- 2 rows
