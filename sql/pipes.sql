# pipes: how many connections are subscribed to a pipe. Columns: name and users. Read only.
# When this is replayed, two connections are subscribed to web_chat and one to news.

# By name: a row for every name that a pipe could have, in the order written.
SELECT * FROM pipes WHERE name IN( "web_chat", "nobody_here", "news", "not a pipe");
-- name | users
-- web_chat | 2
-- nobody_here | 0
-- news | 1
-- 3 rows
SELECT users FROM pipes WHERE name = 'web_chat';
-- users
-- 2
-- 1 row
SELECT users FROM pipes WHERE name = 'news' OR name = 'web_chat' ORDER BY users DESC;
-- users
-- 2
-- 1
-- 2 rows
# Without a name: those that somebody listens to.
SELECT * FROM pipes;
-- name | users
-- news | 1
-- web_chat | 2
-- 2 rows
SELECT name FROM pipes WHERE users > 1;
-- name
-- web_chat
-- 1 row
SELECT SUM(users) FROM pipes;
-- SUM(users)
-- 3
-- 1 row

INSERT INTO pipes (name, users) VALUES ('chat', 1);
-- ERROR 10 (HY000): Table `pipes` is read only: the server itself writes it
UPDATE pipes SET users = 0;
-- ERROR 10 (HY000): Table `pipes` is read only: the server itself writes it
DELETE FROM pipes WHERE name = 'chat';
-- ERROR 10 (HY000): Table `pipes` is read only: the server itself writes it
TRUNCATE pipes;
-- ERROR 10 (HY000): Table `pipes` is read only: the server itself writes it
