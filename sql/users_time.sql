# users_time: who is online. Columns: id and time, which is 0 for who is online, else the Unix time in seconds of the
# last disconnect, and -1 when the user was never seen. Read only.
# When this is replayed, user 3 is online, and user 4 was last here at 1699999000.

# By id: a row for every number, in the order written.
SELECT id, time FROM users_time WHERE id IN( 99996,4,3);
SELECT * FROM users_time WHERE id = '3' OR id = 0 OR id = -1;
SELECT time FROM users_time WHERE id = 4;
SELECT NOW(), FROM_UNIXTIME(time) AS last_seen FROM users_time WHERE id = 4;
# Without an id: those who are online or were.
INSERT INTO users_messages (id, event, message) VALUES (5, 'wait', 'for me');
SELECT * FROM users_time;
SELECT COUNT(*) FROM users_time WHERE time = 0;

INSERT INTO users_time (id, time) VALUES (1, 0);
UPDATE users_time SET time = 0;
DELETE FROM users_time WHERE id = 4;
TRUNCATE users_time;
