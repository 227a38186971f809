# users_in_pipes: every connection that is subscribed to a pipe, whether its user is logged in or not. Columns: name (of
# the pipe), user_id (0 for nobody), user_uuid (the number the browser gave itself), user_agent, ip, origin, language,
# and for those who name it node. Read only.
# When this is replayed, two connections are subscribed to web_chat, one of them of user 3, and one to news.

select * from users_in_pipes where name = "web_chat";
SELECT name, user_uuid, node FROM users_in_pipes WHERE name IN ('news', 'nobody_here', 'not a pipe', 'web_chat');
# Without a name: of every pipe that somebody listens to.
SELECT name, user_id FROM users_in_pipes;
SELECT DISTINCT user_id FROM users_in_pipes WHERE user_id > 0;
SELECT COUNT(*) FROM users_in_pipes WHERE name = 'web_chat' AND ip = '192.0.2.7';

INSERT INTO users_in_pipes (name, user_id) VALUES ('web_chat', 1);
UPDATE users_in_pipes SET user_id = 1;
DELETE FROM users_in_pipes WHERE name = 'web_chat';
TRUNCATE users_in_pipes;
