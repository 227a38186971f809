# users_time: who is online. Columns: id and time, which is 0 for who is online, else the Unix time in seconds of the
# last disconnect, and -1 when the user was never seen. Read only.
# When this is replayed, user 3 is online, and user 4 was last here at 1699999000.

# By id: a row for every number, in the order written.
SELECT id, time FROM users_time WHERE id IN( 99996,4,3);
-- id | time
-- 99996 | -1
-- 4 | 1699999000
-- 3 | 0
-- 3 rows
SELECT * FROM users_time WHERE id = '3' OR id = 0 OR id = -1;
-- id | time
-- 3 | 0
-- 0 | -1
-- 2 rows
SELECT time FROM users_time WHERE id = 4;
-- time
-- 1699999000
-- 1 row
# Without an id: those who are online or were.
INSERT INTO users_messages (id, event, message) VALUES (5, 'wait', 'for me');
-- OK, 1 row affected, insert id 1
SELECT * FROM users_time;
-- id | time
-- 3 | 0
-- 4 | 1699999000
-- 2 rows
SELECT COUNT(*) FROM users_time WHERE time = 0;
-- COUNT(*)
-- 1
-- 1 row

INSERT INTO users_time (id, time) VALUES (1, 0);
-- ERROR 10 (HY000): Table `users_time` is read only: the server itself writes it
UPDATE users_time SET time = 0;
-- ERROR 10 (HY000): Table `users_time` is read only: the server itself writes it
DELETE FROM users_time WHERE id = 4;
-- ERROR 10 (HY000): Table `users_time` is read only: the server itself writes it
TRUNCATE users_time;
-- ERROR 10 (HY000): Table `users_time` is read only: the server itself writes it
