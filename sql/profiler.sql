# profiler: what this node has counted since it began. Columns: tag (of what), time (seconds for which it has been counted)
# and calls (how often it happened). Read only. The original measured its own functions here; this is what it was used for.

INSERT INTO pipes_messages (name, event, message) VALUES ('web_chat', 'say', 'hello');
SELECT * FROM profiler;
SELECT calls FROM profiler WHERE tag = 'messages_published';
SELECT tag, calls / (time + 1) AS per_second FROM profiler WHERE tag = 'frames_delivered';

DELETE FROM profiler WHERE tag = 'statements';
INSERT INTO profiler VALUES ('x', 1, 1);
