# pipes: how many connections are subscribed to a pipe. Columns: name and users. Read only.
# When this is replayed, two connections are subscribed to web_chat and one to news.

# By name: a row for every name that a pipe could have, in the order written.
SELECT * FROM pipes WHERE name IN( "web_chat", "nobody_here", "news", "not a pipe");
SELECT users FROM pipes WHERE name = 'web_chat';
SELECT users FROM pipes WHERE name = 'news' OR name = 'web_chat' ORDER BY users DESC;
# Without a name: those that somebody listens to.
SELECT * FROM pipes;
SELECT name FROM pipes WHERE users > 1;
SELECT SUM(users) FROM pipes;

INSERT INTO pipes (name, users) VALUES ('chat', 1);
UPDATE pipes SET users = 0;
DELETE FROM pipes WHERE name = 'chat';
TRUNCATE pipes;
