# users_messages: private messages. INSERT sends one to every device of the user who is connected; it waits for one who
# is not. Columns: id (of the user), index (running number of what the user has not taken yet, the oldest is 0), event,
# message, and for those who name them position (epoch and index in the user's log), uuid and time (in Unix seconds).

INSERT INTO users_messages (id, event, message)VALUES('12', 'iziMessages', '{"text":"\u041f\u0440\u0438\u0432\u0435\u0442"}');'
SELECT * FROM users_messages WHERE id = 12;
# Several at once are sent all or none; the insert id is the index of the first in the user's log.
INSERT INTO users_messages (id, event, message) VALUES (12, '', 'second'), (12, 'say', 'third'), (7, 'say', 'hello 🍵');
SELECT * FROM users_messages WHERE id IN (7, 12, 99);
# Without an id: of everybody who has something to take.
SELECT id, `index`, message FROM users_messages;
SELECT id, position, uuid, time FROM users_messages WHERE id = 7;
SELECT id, COUNT(*) AS waiting FROM users_messages WHERE event = 'say';
# index may be given, as in the original, and means nothing.
INSERT INTO users_messages VALUES (3, 5, 'say', 'to who is here');
SELECT message FROM users_messages WHERE id = 3 AND `index` = 0;

INSERT INTO users_messages (event, message) VALUES ('say', 'x');
INSERT INTO users_messages (id, message) VALUES (1, 'x');
INSERT INTO users_messages (id, event) VALUES (1, 'say');
# The original took 0 and kept it for nobody.
INSERT INTO users_messages (id, event, message) VALUES (0, 'say', 'x');
INSERT INTO users_messages (id, event, message) VALUES (1, 'say', 'x'), (-1, 'say', 'x');
INSERT INTO users_messages (id, event, message) VALUES (1, 'say it', 'x');
INSERT INTO users_messages (id, event, message) VALUES (1, REPEAT('e', 65), 'x');
INSERT INTO users_messages (id, event, message) VALUES (1, 'say', REPEAT('x', 1025));
SELECT COUNT(*) FROM users_messages WHERE id = 1;
UPDATE users_messages SET message = 'other' WHERE id = 12;
TRUNCATE users_messages;

# DELETE takes back what has not been taken: exactly the rows it names.
DELETE FROM users_messages WHERE id = 12 AND `index` = 1;
SELECT * FROM users_messages WHERE id = 12;
DELETE FROM users_messages WHERE event = 'say' ORDER BY id DESC LIMIT 1;
DELETE FROM users_messages WHERE id = 12;
DELETE FROM users_messages WHERE id = 12;
DELETE FROM users_messages;
SELECT id, message FROM users_messages;
