# What clients ask about the server itself.

# SELECT without a table.
SELECT 1;
select 1+1 AS result, 'a' 'b', NULL, -1.5, 7 % 4, 7 / 2, 1 / 0;
SELECT DATABASE(), USER(), CURRENT_USER(), CONNECTION_ID(), VERSION();
SELECT NOW(), UNIX_TIMESTAMP() - 1137 AS earlier;
SELECT COALESCE(NULL, DATABASE()) AS d, IF(1 > 2, 'yes', 'no') AS i, CONCAT('a', 1, 'b') AS c, IFNULL(NULL, 5) AS n FROM dual;
SELECT 'Abc' = 'aBC', 'abc' LIKE 'A_c', 2 IN (1, NULL), 2 NOT IN (1, 3), NULL <=> NULL, '10' > 9, 5 BETWEEN 1 AND 5;
select @@version_comment limit 1;
SELECT @@no_such_variable;
SELECT @@max_allowed_packet,@@wait_timeout,@@socket;
SELECT @@lower_case_table_names, @@session.autocommit, @@global.read_only read_only, @@transaction_isolation, @@sql_mode;
SELECT VERSION(),
       @@sql_mode,
       @@default_storage_engine,
       @@sql_auto_is_null,
       @@lower_case_table_names,
       CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL;
/* mysql-connector-j-9 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout;
SELECT no_such_column;
SELECT NO_SUCH_FUNCTION(1);
SELECT *;

# SET is always accepted.
SET NAMES utf8mb4;
SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')),time_zone='+00:00',NAMES utf8mb4;
SELECT @@sql_mode, @@time_zone;
SET sql_mode = DEFAULT, no_such_variable = 5, @mine = 1;
SELECT @@sql_mode;
set autocommit=0;
SELECT @@autocommit;
SET @@session.autocommit = ON;
SET comet_strings = 'sometimes';
BEGIN;
SAVEPOINT save1;
COMMIT;

# Databases and tables.
show databases;
use `CometQL_v1`;
USE db_2;
USE db_0;
USE nothing;
show tables;
SHOW FULL TABLES FROM `CometQL_v1` LIKE 'pipes%';
SHOW TABLES FROM `phpmyadmin`;
SHOW TABLE STATUS LIKE 'pipes\_messages';
DESCRIBE pipes_messages;
DESCRIBE pipes_messages name;
SHOW FULL COLUMNS FROM `pipes_settings` FROM `CometQL_v1`;
SHOW COLUMNS FROM pipes WHERE Field = 'USERS';
DESCRIBE no_such_table;
SHOW INDEX FROM pipes_messages;
SHOW CREATE TABLE `pipes_messages`;
SHOW CREATE DATABASE `CometQL_v1`;
SELECT * FROM no_such_table;
SELECT * FROM conference;
SELECT 1 FROM mysql.user LIMIT 1;
SELECT * FROM other.pipes;
KILL 12;

# Variables, status and short lists.
SHOW VARIABLES LIKE 'lower_case_table_names';
SHOW SESSION VARIABLES LIKE 'SQL_mode';
SHOW VARIABLES WHERE Variable_name = 'autocommit' OR Variable_name LIKE '%\_max';
show status;
SHOW GLOBAL STATUS LIKE 'Threads\_%';
SHOW SESSION STATUS LIKE 'Ssl_cipher';
SHOW WARNINGS;
SHOW PROCESSLIST;
SHOW GRANTS;
SHOW COLLATION LIKE 'utf8mb4_0900%';
SHOW CHARACTER SET WHERE Maxlen > 3;
SHOW ENGINES;
SHOW TRIGGERS;
SHOW FUNCTION STATUS WHERE Db = 'CometQL_v1';
SHOW PLUGINS;

# information_schema.
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA;
select table_name, TABLE_TYPE from INFORMATION_SCHEMA.tables where table_schema = database() and table_type = 'base table' order by table_name;
SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'cometql_v1' AND TABLE_NAME = 'pipes';
select column_name as `column_name`, data_type, character_maximum_length from information_schema.columns where table_schema = 'CometQL_v1' and table_name = 'PIPES_messages' order by ordinal_position;
SELECT CONSTRAINT_NAME, COLUMN_NAME AS c FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_NAME = 'pipes';
SELECT COUNT(*) FROM information_schema.ROUTINES;
INSERT INTO information_schema.TABLES (TABLE_NAME) VALUES ('x');
