# profiler: what this node has counted since it began. Columns: tag (of what), time (seconds for which it has been counted)
# and calls (how often it happened). Read only. The original measured its own functions here; this is what it was used for.

INSERT INTO pipes_messages (name, event, message) VALUES ('web_chat', 'say', 'hello');
-- OK, 1 row affected, insert id 1
SELECT * FROM profiler;
-- tag | time | calls
-- statements | <number> | 0
-- messages_published | <number> | 1
-- frames_delivered | <number> | 0
-- 3 rows
SELECT calls FROM profiler WHERE tag = 'messages_published';
-- calls
-- 1
-- 1 row
SELECT tag, calls / (time + 1) AS per_second FROM profiler WHERE tag = 'frames_delivered';
-- tag | per_second
-- frames_delivered | 0
-- 1 row

DELETE FROM profiler WHERE tag = 'statements';
-- ERROR 10 (HY000): Table `profiler` is read only: the server itself writes it
INSERT INTO profiler VALUES ('x', 1, 1);
-- ERROR 10 (HY000): Table `profiler` is read only: the server itself writes it
