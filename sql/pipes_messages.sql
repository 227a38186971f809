# pipes_messages: INSERT publishes a message to everyone who is subscribed to its pipe; SELECT reads what the pipe
# keeps, DELETE takes out of that. Columns:
#   id        UUID of the message              time     unix time in seconds
#   name      name of the pipe                 index    running number in what the pipe keeps, the oldest is 0
#   event     name of the event                message  text of the message
#   user_id   who sent it, 0 for a backend
# and, for those who name them: position (`epoch-index`: an epoch's indexes count 1, 2, 3 … and are never used
# twice) and uuid (the same as id).

# A pipe keeps what pipes_settings says.
INSERT INTO pipes_settings (name, length) VALUES ('chat', 10);

# Publishing. The insert id is the index of the (first) message's position.
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'hello');
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'second'), ('chat', '', 'third');
INSERT INTO `CometQL_v1`.`pipes_messages`(`name`,`event`,`message`)values('chat','say','fourth');
INSERT INTO pipes_messages SET name = 'chat', event = 'shout', message = 'fifth';
INSERT IGNORE INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'sixth');
REPLACE INTO pipes_messages (NAME, Event, message) VALUES ('chat', 'say', 'seventh');
# Nobody keeps what this pipe gets.
INSERT INTO pipes_messages (name, event, message) VALUES ("web_MainPageChat", "", '{ "text":"My text","name":"My name"}' );
# Columns that are not the client's to say are accepted and have no effect; all seven in order without a list.
INSERT INTO pipes_messages VALUES ('', 0, 'other', 0, 'say', 'all columns', 99);
INSERT INTO pipes_messages (name, event, message, id, user_id) VALUES ('other', 'say', 'x', DEFAULT, 5);

# Reading: oldest first.
SELECT * FROM pipes_messages WHERE name = 'chat';
SELECT name, message, position, uuid FROM pipes_messages WHERE name = 'chat' LIMIT 1;
SELECT message FROM pipes_messages WHERE name IN ('nothing', 'chat') AND event = 'say' AND message LIKE 's%';
SELECT message, `index` FROM pipes_messages WHERE name = 'chat' ORDER BY `index` DESC LIMIT 2;
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 1, 2;
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 2 OFFSET 5;
SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 0;
SELECT `M`.`name` AS `M_name`, M.event FROM `pipes_messages` `M` WHERE (`M`.`name` = 'chat') AND NOT M.event <> '';
SELECT pipes_messages.message FROM pipes_messages WHERE pipes_messages.name = 'chat' AND (`index` < 1 OR `index` BETWEEN 5 AND 6);
SELECT COUNT(*) FROM pipes_messages WHERE name = 'chat';
SELECT COUNT(*) AS `__count`, MIN(message), MAX(`index`) + 1 AS next FROM pipes_messages WHERE name = 'chat' AND event = 'say';
SELECT 1 AS `a` FROM pipes_messages WHERE name = 'chat' LIMIT 1;
select exists(select * from `pipes_messages` where `name` = 'chat') as `exists`;
SELECT (SELECT message FROM pipes_messages WHERE name = 'chat' LIMIT 1) AS first;
SELECT * FROM pipes_messages WHERE 1=0;
SELECT message FROM pipes_messages WHERE name = 'nothing';
# Without a name: everything that is kept, in the order of the names.
SELECT name, message FROM pipes_messages WHERE user_id = 0 LIMIT 2;
SELECT COUNT(*) FROM pipes_messages;
# A bare word is a text, as it was for the original.
SELECT message FROM pipes_messages WHERE name = chat LIMIT 1;

# How the text of a message is read: raw JSON means itself, escaped text means what it was before it was escaped.
INSERT INTO pipes_settings (name, length) VALUES ('json', 10);
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'raw', '{"u":"\u043f","p":"a\/b"}');
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'escaped', '{\"u\":\"\\u043f\",\"it\":\"it\'s\"}');
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'text', 'it''s\nit');
SET comet_strings = 'mysql';
INSERT INTO pipes_messages (name, event, message) VALUES ('json', 'mysql', '{"u":"\u043f"}');
SET comet_strings = 'auto';
SELECT event, message FROM pipes_messages WHERE name = 'json';

# What is wrong is said before anything is published.
INSERT INTO pipes_messages (event, message) VALUES ('say', 'x');
INSERT INTO pipes_messages (name, message) VALUES ('chat', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', NULL);
INSERT INTO pipes_messages (name, event, message) VALUES ('ab', 'say', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'say', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('a pipe', 'say', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'good'), ('chat', 'not good', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'x');
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say');
INSERT INTO pipes_messages VALUES ('chat', 'say', 'x');
INSERT INTO pipes_messages (name, event, text) VALUES ('chat', 'say', 'x');
INSERT INTO pipes_messages (name, event, name) VALUES ('chat', 'say', 'x');
SELECT text FROM pipes_messages WHERE name = 'chat';
SELECT message FROM pipes_messages WHERE text = 'chat';
SELECT message FROM pipes_messages WHERE name = 'chat' ORDER BY text;
UPDATE pipes_messages SET message = 'y' WHERE name = 'chat';
TRUNCATE pipes_messages;
DELETE FROM pipes_messages;
SELECT COUNT(*) FROM pipes_messages WHERE name = 'chat';

# Deleting: exactly what the conditions and LIMIT say.
DELETE FROM `pipes_messages` WHERE `name` = 'chat' AND `event` = 'say' AND `message` = 'fourth' LIMIT 1;
DELETE FROM pipes_messages WHERE name = 'chat' AND event = 'say' LIMIT 1;
DELETE FROM pipes_messages WHERE name = 'chat' ORDER BY `index` DESC LIMIT 1;
DELETE FROM pipes_messages WHERE id = 'no such message';
SELECT message, `index` FROM pipes_messages WHERE name = 'chat';
DELETE FROM pipes_messages WHERE name = 'chat';
SELECT message FROM pipes_messages WHERE name = 'chat';
# Indexes are never used twice.
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'eighth');
# A transaction holds nothing back.
BEGIN;
INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'say', 'ninth');
ROLLBACK;
SELECT message FROM pipes_messages WHERE name = 'chat';
