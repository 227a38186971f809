# What clients ask about the server itself.

# SELECT without a table.
SELECT 1;
-- 1
-- 1
-- 1 row
select 1+1 AS result, 'a' 'b', NULL, -1.5, 7 % 4, 7 / 2, 1 / 0;
-- result | ab | NULL | -1.5 | 7 % 4 | 7 / 2 | 1 / 0
-- 2 | ab | NULL | -1.5 | 3 | 3.5 | NULL
-- 1 row
SELECT DATABASE(), USER(), CURRENT_USER(), CONNECTION_ID(), VERSION();
-- DATABASE() | USER() | CURRENT_USER() | CONNECTION_ID() | VERSION()
-- CometQL_v1 | root@localhost | root@% | 7 | 8.0.36-cometql-<word>
-- 1 row
SELECT NOW(), UNIX_TIMESTAMP() - 1137 AS earlier;
-- NOW() | earlier
-- 2023-11-14 22:13:20 | 1699998863
-- 1 row
SELECT COALESCE(NULL, DATABASE()) AS d, IF(1 > 2, 'yes', 'no') AS i, CONCAT('a', 1, 'b') AS c, IFNULL(NULL, 5) AS n FROM dual;
-- d | i | c | n
-- CometQL_v1 | no | a1b | 5
-- 1 row
SELECT 'Abc' = 'aBC', 'abc' LIKE 'A_c', 2 IN (1, NULL), 2 NOT IN (1, 3), NULL <=> NULL, '10' > 9, 5 BETWEEN 1 AND 5;
-- 'Abc' = 'aBC' | 'abc' LIKE 'A_c' | 2 IN (1, NULL) | 2 NOT IN (1, 3) | NULL <=> NULL | '10' > 9 | 5 BETWEEN 1 AND 5
-- 1 | 1 | NULL | 1 | 1 | 1 | 1
-- 1 row
select @@version_comment limit 1;
-- @@version_comment
-- cometql: a push server that any MySQL driver can publish through
-- 1 row
SELECT @@no_such_variable;
-- @@no_such_variable
-- 
-- 1 row
SELECT @@max_allowed_packet,@@wait_timeout,@@socket;
-- @@max_allowed_packet | @@wait_timeout | @@socket
-- 16777216 | 7200 | NULL
-- 1 row
SELECT @@lower_case_table_names, @@session.autocommit, @@global.read_only read_only, @@transaction_isolation, @@sql_mode;
-- @@lower_case_table_names | @@session.autocommit | read_only | @@transaction_isolation | @@sql_mode
-- 0 | 1 | 0 | REPEATABLE-READ | STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION
-- 1 row
SELECT VERSION(),
       @@sql_mode,
       @@default_storage_engine,
       @@sql_auto_is_null,
       @@lower_case_table_names,
       CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL;
-- VERSION() | @@sql_mode | @@default_storage_engine | @@sql_auto_is_null | @@lower_case_table_names | CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL
-- 8.0.36-cometql-<word> | STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION | InnoDB | 0 | 0 | 1
-- 1 row
/* mysql-connector-j-9 */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, @@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, @@performance_schema AS performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout;
-- auto_increment_increment | character_set_client | character_set_connection | character_set_results | character_set_server | collation_server | collation_connection | init_connect | interactive_timeout | license | lower_case_table_names | max_allowed_packet | net_write_timeout | performance_schema | sql_mode | system_time_zone | time_zone | transaction_isolation | wait_timeout
-- 1 | utf8mb4 | utf8mb4 | utf8mb4 | utf8mb4 | utf8mb4_general_ci | utf8mb4_general_ci |  | 7200 | MIT OR Apache-2.0 | 0 | 16777216 | 60 | 0 | STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION | UTC | SYSTEM | REPEATABLE-READ | 7200
-- 1 row
SELECT no_such_column;
-- ERROR 14 (42S22): Not a specific column: `no_such_column` is not known here, name its table with FROM or quote a text
SELECT NO_SUCH_FUNCTION(1);
-- ERROR 1305 (42000): FUNCTION no_such_function does not exist with 1 arguments: this server has only those that clients were seen to call
SELECT *;
-- ERROR 1096 (HY000): No tables used: `*` needs a table, name it with FROM

# SET is always accepted.
SET NAMES utf8mb4;
-- OK
SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')),time_zone='+00:00',NAMES utf8mb4;
-- OK
SELECT @@sql_mode, @@time_zone;
-- @@sql_mode | @@time_zone
-- STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,PIPES_AS_CONCAT | +00:00
-- 1 row
SET sql_mode = DEFAULT, no_such_variable = 5, @mine = 1;
-- OK
SELECT @@sql_mode;
-- @@sql_mode
-- STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION
-- 1 row
set autocommit=0;
-- OK
SELECT @@autocommit;
-- @@autocommit
-- 0
-- 1 row
SET @@session.autocommit = ON;
-- OK
SET comet_strings = 'sometimes';
-- ERROR 1231 (42000): Variable 'comet_strings' can't be set to the value of 'sometimes': it is 'auto' or 'mysql'
BEGIN;
-- OK
SAVEPOINT save1;
-- OK
COMMIT;
-- OK

# Databases and tables.
show databases;
-- Database
-- CometQL_v1
-- 1 row
use `CometQL_v1`;
-- OK
USE db_2;
-- OK
USE db_0;
-- OK
USE nothing;
-- ERROR 1049 (42000): Unknown database 'nothing': the database is `CometQL_v1`
show tables;
-- Tables_in_CometQL_v1
-- users_auth
-- users_time
-- users_messages
-- pipes_messages
-- users_in_pipes
-- pipes
-- pipes_settings
-- users_data
-- revoked_tokens
-- profiler
-- 10 rows
SHOW FULL TABLES FROM `CometQL_v1` LIKE 'pipes%';
-- Tables_in_CometQL_v1 (pipes%) | Table_type
-- pipes_messages | BASE TABLE
-- pipes | BASE TABLE
-- pipes_settings | BASE TABLE
-- 3 rows
SHOW TABLES FROM `phpmyadmin`;
-- ERROR 1049 (42000): Unknown database 'phpmyadmin': the database is `CometQL_v1`
SHOW TABLE STATUS LIKE 'pipes\_messages';
-- Name | Engine | Version | Row_format | Rows | Avg_row_length | Data_length | Max_data_length | Index_length | Data_free | Auto_increment | Create_time | Update_time | Check_time | Collation | Checksum | Create_options | Comment
-- pipes_messages | InnoDB | 10 | Dynamic | 1000 | 256 | 256000 | 0 | 0 | 0 | NULL | NULL | NULL | NULL | utf8mb4_bin | NULL |  | INSERT publishes to the subscribers of a pipe; SELECT reads what the pipe keeps
-- 1 row
DESCRIBE pipes_messages;
-- Field | Type | Null | Key | Default | Extra
-- id | varchar(36) | NO | PRI |  | 
-- time | bigint(20) | NO |  | 0 | 
-- name | varchar(64) | NO | MUL |  | 
-- index | bigint(20) | NO |  | 0 | 
-- event | varchar(64) | NO |  |  | 
-- message | text | NO |  | NULL | 
-- user_id | bigint(20) | NO |  | 0 | 
-- position | varchar(41) | YES |  | NULL | INVISIBLE
-- uuid | varchar(36) | YES |  | NULL | INVISIBLE
-- 9 rows
DESCRIBE pipes_messages name;
-- Field | Type | Null | Key | Default | Extra
-- name | varchar(64) | NO | MUL |  | 
-- 1 row
SHOW FULL COLUMNS FROM `pipes_settings` FROM `CometQL_v1`;
-- Field | Type | Collation | Null | Key | Default | Extra | Privileges | Comment
-- name | varchar(64) | utf8mb4_bin | NO | PRI | NULL |  | select,insert,update,references | Name of the pipe
-- length | int(11) | NULL | NO |  | 0 |  | select,insert,update,references | Newest messages the pipe keeps, at most 1000
-- ttl | bigint(20) | NULL | YES |  | NULL | INVISIBLE | select,insert,update,references | Seconds a message is kept; NULL is without end
-- 3 rows
SHOW COLUMNS FROM pipes WHERE Field = 'USERS';
-- Field | Type | Null | Key | Default | Extra
-- users | bigint(20) | NO |  | 0 | 
-- 1 row
DESCRIBE no_such_table;
-- ERROR 1146 (42S02): Table 'CometQL_v1.no_such_table' doesn't exist
SHOW INDEX FROM pipes_messages;
-- Table | Non_unique | Key_name | Seq_in_index | Column_name | Collation | Cardinality | Sub_part | Packed | Null | Index_type | Comment | Index_comment | Visible | Expression
-- pipes_messages | 0 | PRIMARY | 1 | id | A | 1000 | NULL | NULL |  | BTREE |  |  | YES | NULL
-- pipes_messages | 1 | name | 1 | name | A | 1000 | NULL | NULL |  | BTREE |  |  | YES | NULL
-- 2 rows
SHOW CREATE TABLE `pipes_messages`;
-- Table | Create Table
-- pipes_messages | CREATE TABLE `pipes_messages` (\n  `id` varchar(36) NOT NULL DEFAULT '' COMMENT 'UUID of the message',\n  `time` bigint(20) NOT NULL DEFAULT 0 COMMENT 'Unix time in seconds',\n  `name` varchar(64) NOT NULL DEFAULT '' COMMENT 'Name of the pipe',\n  `index` bigint(20) NOT NULL DEFAULT 0 COMMENT 'Running number in what its pipe keeps, the oldest is 0',\n  `event` varchar(64) NOT NULL DEFAULT '' COMMENT 'Name of the event',\n  `message` text NOT NULL COMMENT 'Text of the message',\n  `user_id` bigint(20) NOT NULL DEFAULT 0 COMMENT 'User that sent it, 0 for a backend',\n  `position` varchar(41) DEFAULT NULL INVISIBLE COMMENT 'Epoch and index of the message in its pipe',\n  `uuid` varchar(36) DEFAULT NULL INVISIBLE COMMENT 'The same as id; given to INSERT, it makes it repeatable',\n  PRIMARY KEY (`id`),\n  KEY `name` (`name`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
-- 1 row
SHOW CREATE TABLE revoked_tokens;
-- Table | Create Table
-- revoked_tokens | CREATE TABLE `revoked_tokens` (\n  `token` varchar(4096) NOT NULL COMMENT 'The token',\n  `time` bigint(20) DEFAULT NULL INVISIBLE COMMENT 'Unix time in seconds when it was revoked',\n  PRIMARY KEY (`token`(768))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
-- 1 row
SHOW CREATE DATABASE `CometQL_v1`;
-- Database | Create Database
-- CometQL_v1 | CREATE DATABASE `CometQL_v1` /*!40100 DEFAULT CHARACTER SET utf8mb4 */
-- 1 row
SELECT * FROM no_such_table;
-- ERROR 15 (42S02): Table doesn't exist: there is no `no_such_table`, the tables are `users_auth`, `users_time`, `users_messages`, `pipes_messages`, `users_in_pipes`, `pipes`, `pipes_settings`, `users_data`, `revoked_tokens`, `profiler`
SELECT * FROM conference;
-- ERROR 2 (HY000): Table `conference` is not part of this server: the telephony of the original (conferences, dialogs) was left out
SELECT 1 FROM mysql.user LIMIT 1;
-- ERROR 1146 (42S02): Table 'mysql.user' doesn't exist
SELECT * FROM other.pipes;
-- ERROR 1049 (42000): Unknown database 'other': the database is `CometQL_v1`
# The clients that are logged in, and behind them browsers' connections with the pipes they have subscribed to and the
# seconds since something was heard from them. Root sees all, the others those of their tenant. KILL ends one, KILL
# QUERY what a client runs. Where many nodes share a store, all of this is about all of them: the column node, which is
# shown to who names it, tells where somebody is, and no number is had twice.
SHOW FULL PROCESSLIST;
-- Id | User | Host | db | Command | Time | State | Info
-- 7 | root | localhost | CometQL_v1 | Query | 0 | executing | SHOW FULL PROCESSLIST
-- 4294967297 | anonymous | 192.0.2.7 | db_5 | Browser | 60 | 0 pipes | Mozilla/5.0 (X11)
-- 4294967298 | 3 | 192.0.2.7 | CometQL_v1 | Browser | 60 | 1 pipe | Mozilla/5.0 (X11)
-- 3 rows
SHOW PROCESSLIST WHERE node = 0 AND Command <> 'Query' AND db = 'db_5';
-- Id | User | Host | db | Command | Time | State | Info
-- 4294967297 | anonymous | 192.0.2.7 | db_5 | Browser | 60 | 0 pipes | Mozilla/5.0 (X11)
-- 1 row
KILL 12;
-- ERROR 1094 (HY000): Unknown thread id: 12
KILL QUERY CONNECTION_ID();
-- OK
KILL NULL;
-- ERROR 1094 (HY000): Unknown thread id: NULL
KILL 4294967297;
-- OK
KILL QUERY 4294967297;
-- ERROR 1094 (HY000): Unknown thread id: 4294967297
KILL 4294967299;
-- ERROR 1094 (HY000): Unknown thread id: 4294967299
KILL 18446744073709551615;
-- ERROR 1094 (HY000): Unknown thread id: 18446744073709551615

# Variables, status and short lists.
SHOW VARIABLES LIKE 'lower_case_table_names';
-- Variable_name | Value
-- lower_case_table_names | 0
-- 1 row
SHOW SESSION VARIABLES LIKE 'SQL_mode';
-- Variable_name | Value
-- sql_mode | STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION
-- 1 row
SHOW VARIABLES WHERE Variable_name = 'autocommit' OR Variable_name LIKE '%\_max';
-- Variable_name | Value
-- autocommit | ON
-- browsers_listed_max | 10000
-- columns_max | 4096
-- event_bytes_max | 64
-- history_length_max | 1000
-- key_values_max | 4000
-- message_bytes_max | 1024
-- pipe_name_bytes_max | 64
-- rows_max | 100000
-- sort_bytes_max | 67108864
-- users_messages_seconds_max | 604800
-- 11 rows
# Where many nodes share a store, these are sums over all of them: user_online, server_online, messages, Threads_connected,
# Questions, and of SHOW GLOBAL STATUS frontend_online, backend_online, frontend_messages, backend_messages,
# messages_published, browsers_too_slow, gaps_declared. All else, the uptime for one, is of the node that was asked.
show status;
-- Variable_name | Value
-- flag | session
-- id | 0
-- user_online | 0
-- server_online | 1
-- messages | 0
-- Uptime | <number>
-- Threads_connected | 0
-- Questions | 0
-- Ssl_cipher | 
-- Ssl_version | 
-- 10 rows
SHOW GLOBAL STATUS LIKE 'Threads\_%';
-- Variable_name | Value
-- Threads_connected | 0
-- 1 row
SHOW SESSION STATUS LIKE 'Ssl_cipher';
-- Variable_name | Value
-- Ssl_cipher | 
-- 1 row
# A list or a count is incomplete when a node does not answer in time, and then says so by a warning:
# Warning | 22 | Incomplete answer: node 3 did not answer within 1000 ms, and what is known there is not in it
SHOW WARNINGS;
-- Level | Code | Message
-- 0 rows
SHOW PROCESSLIST;
-- Id | User | Host | db | Command | Time | State | Info
-- 7 | root | localhost | CometQL_v1 | Query | 0 | executing | SHOW PROCESSLIST
-- 4294967297 | anonymous | 192.0.2.7 | db_5 | Browser | 60 | 0 pipes | Mozilla/5.0 (X11)
-- 4294967298 | 3 | 192.0.2.7 | CometQL_v1 | Browser | 60 | 1 pipe | Mozilla/5.0 (X11)
-- 3 rows
SHOW GRANTS;
-- Grants for root@%
-- GRANT SELECT, INSERT, UPDATE, DELETE ON `CometQL_v1`.* TO `root`@`%`
-- 1 row
SHOW COLLATION LIKE 'utf8mb4_0900%';
-- Collation | Charset | Id | Default | Compiled | Sortlen | Pad_attribute
-- utf8mb4_0900_ai_ci | utf8mb4 | 255 | Yes | Yes | 1 | NO PAD
-- 1 row
SHOW CHARACTER SET WHERE Maxlen > 3;
-- Charset | Description | Default collation | Maxlen
-- utf8mb4 | UTF-8 Unicode | utf8mb4_0900_ai_ci | 4
-- 1 row
SHOW ENGINES;
-- Engine | Support | Comment | Transactions | XA | Savepoints
-- InnoDB | DEFAULT | The tables of cometql, named after what clients expect | NO | NO | NO
-- 1 row
SHOW TRIGGERS;
-- Trigger | Event | Table | Statement | Timing | Created | sql_mode | Definer | character_set_client | collation_connection | Database Collation
-- 0 rows
SHOW FUNCTION STATUS WHERE Db = 'CometQL_v1';
-- Db | Name | Type | Definer | Modified | Created | Security_type | Comment | character_set_client | collation_connection | Database Collation
-- 0 rows
SHOW PLUGINS;
-- Name | Status | Type | Library | License
-- 0 rows

# information_schema.
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA;
-- SCHEMA_NAME
-- CometQL_v1
-- information_schema
-- 2 rows
select table_name, TABLE_TYPE from INFORMATION_SCHEMA.tables where table_schema = database() and table_type = 'base table' order by table_name;
-- table_name | TABLE_TYPE
-- pipes | BASE TABLE
-- pipes_messages | BASE TABLE
-- pipes_settings | BASE TABLE
-- profiler | BASE TABLE
-- revoked_tokens | BASE TABLE
-- users_auth | BASE TABLE
-- users_data | BASE TABLE
-- users_in_pipes | BASE TABLE
-- users_messages | BASE TABLE
-- users_time | BASE TABLE
-- 10 rows
SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'cometql_v1' AND TABLE_NAME = 'pipes';
-- 1
-- 1
-- 1 row
select column_name as `column_name`, data_type, character_maximum_length from information_schema.columns where table_schema = 'CometQL_v1' and table_name = 'PIPES_messages' order by ordinal_position;
-- column_name | data_type | character_maximum_length
-- id | varchar | 36
-- time | bigint | NULL
-- name | varchar | 64
-- index | bigint | NULL
-- event | varchar | 64
-- message | text | 65535
-- user_id | bigint | NULL
-- position | varchar | 41
-- uuid | varchar | 36
-- 9 rows
SELECT CONSTRAINT_NAME, COLUMN_NAME AS c FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_NAME = 'pipes';
-- CONSTRAINT_NAME | c
-- 0 rows
SELECT COUNT(*) FROM information_schema.ROUTINES;
-- COUNT(*)
-- 0
-- 1 row
SELECT ID, user, STATE, INFO FROM information_schema.processlist WHERE COMMAND = 'browser' AND db = 'CometQL_v1';
-- ID | user | STATE | INFO
-- 4294967298 | 3 | 1 pipe | Mozilla/5.0 (X11)
-- 1 row
SELECT id, command, node FROM information_schema.processlist;
-- id | command | node
-- 7 | Query | 0
-- 4294967297 | Browser | 0
-- 4294967298 | Browser | 0
-- 3 rows
SELECT COUNT(*) FROM INFORMATION_SCHEMA.PROCESSLIST;
-- COUNT(*)
-- 3
-- 1 row
INSERT INTO information_schema.TABLES (TABLE_NAME) VALUES ('x');
-- ERROR 1044 (42000): Access denied to database 'information_schema': `TABLES` can only be read

# After ANSI_QUOTES double quotes stand around names.
SELECT "name" FROM pipes_settings WHERE 'name' = "name";
-- name
-- 0 rows
SET sql_mode = 'ANSI_QUOTES';
-- OK
SELECT "name" FROM "pipes_settings" WHERE "name" = 'none';
-- name
-- 0 rows
SELECT "no ""such" FROM pipes_settings;
-- ERROR 14 (42S22): Not a specific column: there is no `no "such` in `pipes_settings`, its columns are `name`, `length`, `ttl`
SET sql_mode = '';
-- OK
SELECT "name" LIKE BINARY 'N%', 'name' LIKE 'N%', NULL IS TRUE, NULL IS NOT FALSE, 2 IS TRUE, 0 IS FALSE, NULL IS UNKNOWN;
-- "name" LIKE BINARY 'N%' | 'name' LIKE 'N%' | NULL IS TRUE | NULL IS NOT FALSE | 2 IS TRUE | 0 IS FALSE | NULL IS UNKNOWN
-- 0 | 1 | 0 | 1 | 1 | 1 | 1
-- 1 row

# What the language does not have is refused by its name.
SELECT name FROM pipes JOIN pipes_settings ON 1 = 1;
-- ERROR 3 (42000): Syntax error in query: JOIN is not supported at line 1, column 24
SELECT name FROM pipes GROUP BY name;
-- ERROR 3 (42000): Syntax error in query: GROUP BY is not supported at line 1, column 24
SELECT name FROM pipes HAVING 1 = 1;
-- ERROR 3 (42000): Syntax error in query: HAVING is not supported at line 1, column 24
SELECT COUNT(*) FROM (SELECT name FROM pipes UNION SELECT name FROM pipes_settings) AS a;
-- ERROR 3 (42000): Syntax error in query: UNION is not supported at line 1, column 46
SELECT COUNT(*) FROM (SELECT name FROM pipes);
-- ERROR 3 (42000): Syntax error in query: expected an alias after the SELECT in FROM: AS a, found ";" at line 1, column 46
