# users_in_pipes: every connection that is subscribed to a pipe, whether its user is logged in or not. Columns: name (of
# the pipe), user_id (0 for nobody), user_uuid (the number the browser gave itself), user_agent, ip, origin, language,
# and for those who name it node: the number of the node it is connected to, 0 for one that shares no store with others.
# The other nodes are asked; one that does not answer within a second is missing, and a warning (22) says so. Read only.
# When this is replayed, two connections are subscribed to web_chat, one of them of user 3, and one to news.

select * from users_in_pipes where name = "web_chat";
-- name | user_id | user_uuid | user_agent | ip | origin | language
-- web_chat | 3 | browser-0 | Mozilla/5.0 (X11) | 192.0.2.7 | https://shop.example | de,en;q=0.5
-- web_chat | 0 | browser-1 | Mozilla/5.0 (X11) | 192.0.2.7 | https://shop.example | de,en;q=0.5
-- 2 rows
SELECT name, user_uuid, node FROM users_in_pipes WHERE name IN ('news', 'nobody_here', 'not a pipe', 'web_chat');
-- name | user_uuid | node
-- news | browser-2 | 0
-- web_chat | browser-0 | 0
-- web_chat | browser-1 | 0
-- 3 rows
# Without a name: of every pipe that somebody listens to.
SELECT name, user_id FROM users_in_pipes;
-- name | user_id
-- news | 0
-- web_chat | 3
-- web_chat | 0
-- 3 rows
SELECT DISTINCT user_id FROM users_in_pipes WHERE user_id > 0;
-- user_id
-- 3
-- 1 row
SELECT COUNT(*) FROM users_in_pipes WHERE name = 'web_chat' AND ip = '192.0.2.7';
-- COUNT(*)
-- 2
-- 1 row

INSERT INTO users_in_pipes (name, user_id) VALUES ('web_chat', 1);
-- ERROR 10 (HY000): Table `users_in_pipes` is read only: the server itself writes it
UPDATE users_in_pipes SET user_id = 1;
-- ERROR 10 (HY000): Table `users_in_pipes` is read only: the server itself writes it
DELETE FROM users_in_pipes WHERE name = 'web_chat';
-- ERROR 10 (HY000): Table `users_in_pipes` is read only: the server itself writes it
TRUNCATE users_in_pipes;
-- ERROR 10 (HY000): Table `users_in_pipes` is read only: the server itself writes it
