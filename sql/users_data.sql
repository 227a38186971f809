# users_data: a text about each user that browsers may read (getUserData). Columns: id and data (as long as a message).

INSERT INTO users_data (id, data) VALUES ('12', '{"name":"Ann","bonus":0.25}');
SELECT * FROM users_data WHERE id = 12;
# Raw JSON between quotes stays what it is, escaped text means what it says: docs of comet_strings.
INSERT INTO users_data (id, data) VALUES (13, '{"name":"\u0410\u043d\u044f","path":"a\/b","line":"1\n2"}'), (14, '{\"name\":\"O\'Hara\"}');
SELECT data FROM users_data WHERE id IN (13, 14);
SET comet_strings = 'mysql';
INSERT INTO users_data (id, data) VALUES (13, '{"path":"a\\\\b"}');
SELECT data FROM users_data WHERE id = 13;
SET comet_strings = DEFAULT;
INSERT INTO users_data (id, data) VALUES (15, 'чай 🍵'), (16, ''), (17, 0.5);
SELECT id, data, CHAR_LENGTH(data) FROM users_data WHERE id > 14;
REPLACE INTO users_data VALUES (16, 'something');
INSERT IGNORE INTO users_data VALUES (16, 'something else'), (18, 'new');
INSERT INTO users_data (id, data) VALUES (18, 'b') ON DUPLICATE KEY UPDATE data = CONCAT(data, VALUES(data));
UPDATE users_data SET data = 'tea' WHERE data LIKE '%🍵';
SELECT * FROM users_data;

INSERT INTO users_data (id) VALUES (1);
INSERT INTO users_data (data) VALUES ('x');
INSERT INTO users_data (id, data) VALUES ('Ann', 'x');
INSERT INTO users_data (id, data) VALUES (1, REPEAT('x', 1025));
UPDATE users_data SET data = NULL WHERE id = 18;

DELETE FROM users_data WHERE id IN (12, 13, 99);
DELETE FROM users_data WHERE data = 'tea';
SELECT id FROM users_data;
TRUNCATE TABLE users_data;
SELECT COUNT(*) FROM users_data;
