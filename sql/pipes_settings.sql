# pipes_settings: how much each pipe keeps. Columns: name (of the pipe) and length (the newest so many messages, at
# most 1000), and, for those who name it, ttl (seconds a message is kept, NULL is without end).

INSERT INTO pipes_settings ("name", 'length') VALUES ('p10', 10);
SELECT * FROM pipes_settings WHERE name = 'p10';
# INSERT replaces what is set, as it did in the original; INSERT IGNORE leaves it.
insert into pipes_settings (name, LENGTH) values ('p10', 20);
INSERT IGNORE INTO pipes_settings (name, length) VALUES ('p10', 30);
SELECT length FROM pipes_settings WHERE name = 'p10';
REPLACE INTO pipes_settings VALUES ('p10', 10), ('p11', '11');
INSERT INTO pipes_settings (name, length) VALUES ('p10', 5) ON DUPLICATE KEY UPDATE length = VALUES(length) + 1;
INSERT INTO pipes_settings (name, length) VALUES ('p12', 5) ON DUPLICATE KEY UPDATE length = VALUES(length);
# Without a length a pipe keeps nothing; more than 1000 is 1000, and so is a negative number.
INSERT INTO pipes_settings (name) VALUES ('empty');
INSERT INTO pipes_settings (name, length, ttl) VALUES ('much', 70000, 60), ('negative', -1, NULL);
SELECT * FROM pipes_settings;
SELECT name, length, ttl FROM pipes_settings WHERE name IN ('negative', 'much', 'unknown') AND length > 5;

UPDATE pipes_settings SET length = 7 WHERE name = 'p10';
UPDATE pipes_settings SET length = 7 WHERE name = 'p10';
UPDATE pipes_settings SET length = length + 1, ttl = 30 WHERE name LIKE 'p1%' ORDER BY name DESC LIMIT 2;
SELECT name, length, ttl FROM pipes_settings WHERE name LIKE 'p1_';

INSERT INTO pipes_settings (length) VALUES (1);
INSERT INTO pipes_settings (name, length) VALUES ('a', 1);
INSERT INTO pipes_settings (name, length) VALUES ('a.b.c', 1);
INSERT INTO pipes_settings (name, length, ttl) VALUES ('abc', 1, 0);
INSERT INTO pipes_settings (name, size) VALUES ('abc', 1);
UPDATE pipes_settings SET name = 'other' WHERE name = 'p10';
UPDATE pipes_settings SET size = 1 WHERE name = 'p10';
DELETE FROM pipes_settings;

# DELETE removes what the pipe keeps, too.
INSERT INTO pipes_messages (name, event, message) VALUES ('p10', 'say', 'hello');
SELECT COUNT(*) FROM pipes_messages WHERE name = 'p10';
delete from  pipes_settings where name = 'p10';
SELECT COUNT(*) FROM pipes_messages WHERE name = 'p10';
DELETE FROM pipes_settings WHERE name = 'p10';
DELETE FROM pipes_settings WHERE length >= 1000;
TRUNCATE TABLE pipes_settings;
SELECT * FROM pipes_settings;
