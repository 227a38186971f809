//! Statements that real clients and programs were seen to send. Each is parsed as what it is.

use super::random::Random;
use super::*;

/// The variant of a statement, and with SHOW its subject.
fn kind(statement: &Statement) -> String {
    let full = match statement {
        Statement::Show(show) => format!("Show {:?}", show.subject),
        Statement::Transaction(transaction) => format!("{transaction:?}"),
        other => format!("{other:?}"),
    };
    let end = full.find(['(', '{']).unwrap_or(full.len());
    full[..end].trim().to_owned()
}

/// A kind, and texts of one statement each.
const SEEN: &[(&str, &[&str])] = &[
    (
        "Insert",
        &[
            "INSERT INTO pipes_messages (name, event, message)VALUES('simplechat', 'newMessage', '{\\\"a\\\":1}')",
            "INSERT INTO users_messages (id, event, message)VALUES('12', 'iziMessages', 'text');'",
            "INSERT INTO pipes_messages (name, event, message)VALUES('iziMessages', 'msg', 'text');' \n",
            "INSERT INTO pipes_messages (name, event, message)VALUES(\"web_MainPageChat\", \"\", '{ \"text\":\"My text\"}' );",
            "INSERT INTO pipes_messages (name, event, message)VALUES(\"Pipe_name\", \"event_name\", '{\"text\":\"привет\"}')",
            "INSERT INTO users_messages (id, event, message)VALUES ('12', 'message', 'привет')",
            "INSERT INTO users_auth (id, hash)VALUES('12', 'key' );",
            "INSERT INTO users_auth (id, hash)VALUES (5, '0a1b')",
            "INSERT INTO users_auth (id, hash )VALUES (':1', ':2')",
            "INSERT INTO conference (name, user_id, caller_id, message, profile)VALUES('1', '2', '2', '{}', 'video' );",
            "insert into pipes_settings (\"name\", \"length\") values ('p10', 10);",
            "INSERT INTO pipes_settings (\"name\", 'length') VALUES ('p10', 10)",
            "INSERT INTO pipes_settings ('name', 'length') values ('p10', 10)",
            "INSERT INTO pipes_settings (name, LENGTH) VALUES ('p10', 10);",
            "INSERT INTO `pipes_messages` (`name`, `event`, `message`)  VALUES  ('a', 'b', 'c') , ('d', 'e', 'f') ",
            "insert into `CometQL_v1`.`pipes_messages`(`name`,`event`,`message`)values('a','b','c')",
            "insert high_priority into `CometQL_v1`.`pipes_messages`(`name`)values('a')",
            "INSERT LOW_PRIORITY IGNORE INTO t VALUES (1)",
            "INSERT IGNORE INTO users_auth (id, hash) VALUES (1, 'x')",
            "INSERT users_auth VALUE (1, 'x')",
            "REPLACE INTO users_auth (id, hash) VALUES (1, 'x')",
            "REPLACE DELAYED users_auth VALUES (1, 'x')",
            "INSERT INTO pipes_messages SET `name` = 'x', `event` = 'e', message := 'm'",
            "INSERT INTO `pipes_messages`(`id`, `name`) VALUES (DEFAULT, 'a')",
            "INSERT INTO t () VALUES ()",
            "INSERT INTO t VALUES (), ()",
            "insert into `users_auth` (`hash`, `id`) values (?, ?) on duplicate key update `hash` = values(`hash`)",
            "INSERT INTO users_auth (id, hash) VALUES (1, 'a') AS new ON DUPLICATE KEY UPDATE hash = new.hash",
            "INSERT INTO users_data (id, data) VALUES (1, _utf8mb4'x'), (2, 0x7b7d), (3, x'7B7D'), (4, -5), (5, 1.5e3)",
            "INSERT INTO users_data (id, data) VALUES (1, N'x' 'y'), (b'11', NULL), (true, FALSE)",
            "/* from Django */ INSERT /* here */ INTO users_auth (id, -- the id\n hash) VALUES (1, # and\n 'x') -- done",
        ],
    ),
    (
        "Select",
        &[
            "SELECT hash FROM users_auth WHERE id = 5",
            "SELECT id, time FROM users_time WHERE id IN( 1,2,3);",
            "SELECT time FROM users_time WHERE id = 7",
            "SELECT id, index, event FROM pipes_messages WHERE name = 'x'",
            "SELECT index, time, event, message, name, length, hash, data, users, token, id, position, uuid, ttl, node, \
         status, tables, key, keys, value, values, user, user_id, ip, origin, language, count FROM t",
            "SELECT * FROM pipes WHERE name IN( \"web_admins\", \"web_php_chat\");",
            "select * from users_in_pipes where name = \"web_admins\";",
            "select * from `conference` where name = \"101\";",
            "select * from `conference_members` ",
            "SELECT `M`.`name`, `M`.`event` FROM `pipes_messages` AS `M` WHERE `M`.`name` = 'x';",
            "SELECT `M`.`name` AS `M_name`, `M`.`id` AS \"M_id\" FROM `pipes_messages` `M` WHERE `M`.`name` = 'x'",
            "select t0.`name` `name`,t0.`event` `event` from `db`.`t` t0 where (t0.`name` = 'x') limit 3",
            "SELECT pipes_messages.name, pipes_messages.event \nFROM pipes_messages \nWHERE pipes_messages.name = 'x'",
            "SELECT `name`, `event`, `message` FROM `t` WHERE  (`name` = 'x') ",
            "SELECT `id`, `hash` FROM `t` WHERE  ( (`id` = 7) ) AND ( (1=1) ) ",
            "SELECT `name` FROM `t` WHERE `name`= 'x'",
            "SELECT `name` FROM `t` WHERE (`name`= 'a' AND `event`= 'b')",
            "SELECT `name` FROM `CometQL_v1`.`t` WHERE ((`name` = 'chat')) LIMIT 2",
            "SELECT `id` FROM `t` WHERE ((`id` = 7)) FOR UPDATE",
            "SELECT * FROM t LIMIT 0, 25",
            "SELECT * FROM t ORDER BY `index` DESC, time ASC LIMIT ? OFFSET ?",
            "SELECT * FROM t LIMIT '10'",
            "SELECT * FROM t LOCK IN SHARE MODE",
            "SELECT * FROM t FOR SHARE SKIP LOCKED",
            "SELECT COUNT(*) FROM pipes",
            "select count(0) `count(*)` from `t`",
            "SELECT COUNT(*) AS `__count` FROM `users_auth`",
            "SELECT 1 AS `a` FROM `users_auth` WHERE `users_auth`.`id` = 7 LIMIT 1",
            "select exists(select * from `users_auth` where `id` = 5) as `exists`",
            "SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`",
            "SELECT /*!40001 SQL_NO_CACHE */ `name`, `length` FROM `pipes_settings`",
            "SELECT * FROM t WHERE 1=0",
            "SELECT DISTINCT HIGH_PRIORITY name FROM pipes",
            "SELECT t.*, db.t.* FROM t",
            "SELECT * FROM t WHERE name LIKE 'a\\_b%' AND NOT event NOT LIKE 'x' OR id BETWEEN 1 AND 5 AND hash IS NOT NULL",
            "SELECT * FROM t WHERE name NOT IN ('a', ?) AND id <> -5 AND id != +6 && data <=> NULL || !(id >= 1) AND a<b",
            "SELECT \"t\".\"name\" FROM \"t\" WHERE \"t\".\"name\" = 'x'",
            "SELECT * FROM 't' WHERE name = 'x' COLLATE utf8mb4_bin",
            "select @@version_comment limit 1",
            "select DATABASE(), USER() limit 1",
            "select @@character_set_client, @@character_set_connection, @@character_set_server, \
         @@character_set_database limit 1",
            "SELECT DATABASE()",
            "SELECT DATABASE ( )",
            "SELECT VERSION()",
            "SELECT version() as version",
            "SELECT VERSION() as `version`",
            "SELECT @@version, @@version_comment",
            "SELECT @@transaction_isolation",
            "SELECT @@session.transaction_isolation, @@session.transaction_read_only, @@session.autocommit",
            "SELECT @@SESSION.sql_mode",
            "\n            SELECT VERSION(),\n                   @@sql_mode,\n                   @@default_storage_engine,\n\
         @@sql_auto_is_null,\n @@lower_case_table_names,\n\
         CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL\n        ",
            "SELECT @@max_allowed_packet,@@wait_timeout,@@socket",
            "SELECT @@max_allowed_packet,@@system_time_zone,@@time_zone,@@auto_increment_increment",
            "/* mysql-connector-j-9.7 (Revision: x) */SELECT  @@session.auto_increment_increment AS \
         auto_increment_increment, @@character_set_client AS character_set_client, @@init_connect AS init_connect",
            "SELECT 1",
            "select 1",
            "SELECT 1+1 AS result",
            "/* ping */ SELECT 1",
            "select connection_id()",
            "SELECT CURRENT_USER()",
            "SELECT current_user",
            "SELECT UNIX_TIMESTAMP() - 1137",
            "SELECT 1 FROM dual",
            "SELECT @@global.read_only read_only",
            "SELECT 'VARCHAR' AS TYPE_NAME, 12 AS DATA_TYPE, '''' AS LITERAL_PREFIX, NULL AS X",
            "SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1, CONVERT('x' USING utf8mb4)",
            "SELECT TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND \
         TABLE_SCHEMA = COALESCE(NULL, DATABASE())",
            "select column_name as `column_name` from information_schema.columns where table_schema = ? and table_name = ?",
            "SELECT /*+ MAX_EXECUTION_TIME(2000) */  SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME",
            "SELECT 1 FROM mysql.user LIMIT 1",
            "SELECT id FROM t WHERE id IN (SELECT id FROM u) AND id = (SELECT 1)",
            "SELECT COUNT(*) FROM (SELECT 1 AS `a` FROM `users_auth` WHERE `id` > 7 LIMIT 10) subquery",
            "SELECT COUNT(*) AS \"c\" FROM (SELECT * FROM t LIMIT 10) AS _x",
            "SELECT name FROM t WHERE name LIKE BINARY 'a%' AND BINARY event = 'x' AND active IS NOT TRUE",
            "SELECT CASE WHEN a = 1 THEN 'one' ELSE 'more' END AS `n`, case x when 1 then 2 end FROM t",
        ],
    ),
    (
        "Delete",
        &[
            "DELETE FROM users_auth WHERE id = 5",
            "delete from  pipes_settings where name = 'p10';",
            "delete from `conference` where name = \"101\" and user_id = 29130;",
            "delete from revoked_tokens where token = \"eyJ.eyJ.x-_\"",
            "DELETE FROM `pipes_messages` WHERE `name` = 'chat' AND `event` = 'm' AND `message` = '{}' LIMIT 1",
            "DELETE LOW_PRIORITY QUICK IGNORE FROM t AS x WHERE x.id = 1 ORDER BY id LIMIT 1",
            "DELETE FROM t",
        ],
    ),
    (
        "Update",
        &["UPDATE `users_auth` SET `hash` = 'zz' WHERE `id` = 7", "update users_data set data = ?, id = 5 limit 1"],
    ),
    ("Truncate", &["TRUNCATE `users_auth`", "truncate table CometQL_v1.users_auth;"]),
    (
        "Set",
        &[
            "SET NAMES utf8mb4",
            "SET NAMES 'utf8mb4'",
            "SET NAMES utf8",
            "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci';",
            "set names utf8mb4 collate utf8mb4_unicode_520_ci",
            "/*!40101 SET NAMES binary*/",
            "SET CHARACTER SET utf8",
            "SET CHARSET 'utf8'",
            "SET AUTOCOMMIT = 0",
            "SET autocommit=0",
            "SET @@session.autocommit = OFF",
            "set autocommit=1, sql_mode = concat(@@sql_mode,',STRICT_TRANS_TABLES')",
            "set autocommit=1, session_track_system_variables='auto_increment_increment' , sql_mode = ''",
            "SET sql_quote_show_create = 1, autocommit = 1",
            "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')),time_zone='+00:00',NAMES utf8mb4;",
            "set sql_mode=CONCAT(@@sql_mode,',STRICT_TRANS_TABLES'),NAMES utf8mb4",
            "SET NAMES utf8mb4, sql_mode='ANSI'",
            "set time_zone='+00:00'",
            "SET time_zone=\"+00:00\"",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
            "SET SESSION TRANSACTION READ ONLY",
            "SET tx_isolation='READ-COMMITTED'",
            "SET transaction_isolation='REPEATABLE-READ'",
            "set session sql_mode='STRICT_ALL_TABLES'",
            "SET @@session.sql_mode = 'x'",
            "SET sql_mode = 'ANSI_QUOTES'",
            "/*!40100 SET @@SQL_MODE='' */",
            "SET SESSION SQL_AUTO_IS_NULL=0",
            "SET session_track_schema= ON",
            "SET session_track_system_variables='autocommit,transaction_isolation'",
            "SET character_set_results = NULL",
            "SET SESSION character_set_results = 'binary'",
            "SET lc_messages = 'en_US';",
            "set session wait_timeout = 604800",
            "SET SQL_SAFE_UPDATES=1,SQL_SELECT_LIMIT=1000,MAX_JOIN_SIZE=1000000",
            "/*M!100100 SET sql_mode=DEFAULT */",
            "/*!40101 set @@character_set_database=binary */;",
            "set @`spider_lc_x` = '-xx-1->`a`-'",
            "SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0",
            "SET @a := 1, @'b' = 2",
            "SET SQL_MODE=NO_TABLE_OPTIONS",
            "SET @@x y",
            "SET x y",
            "SET x y z",
            "SET GLOBAL x y",
            "SET x = CASE WHEN 1 THEN 2 END, y = a REGEXP (1, 2), z = 1",
            "SET comet_strings = 'mysql'",
        ],
    ),
    ("Show Databases", &["show databases", "SHOW DATABASES LIKE '%'", "SHOW SCHEMAS"]),
    (
        "Show Tables",
        &[
            "show tables",
            "SHOW TABLES LIKE '%'",
            "SHOW TABLES FROM `phpmyadmin`;",
            "SHOW FULL TABLES",
            "SHOW FULL TABLES FROM `db` WHERE Table_type = 'BASE TABLE'",
            "SHOW /*!50002 FULL*/ TABLES FROM `db` LIKE '%'",
        ],
    ),
    (
        "Show TableStatus",
        &["SHOW TABLE STATUS LIKE 'pipes\\_messages'", "show table status from `db` like 't'", "SHOW TABLE  STATUS"],
    ),
    (
        "Show Index",
        &["show index from `db`.`t` ", "SHOW INDEXES FROM t FROM db", "SHOW KEYS IN t WHERE Key_name = 'x'"],
    ),
    (
        "Show Columns",
        &[
            "SHOW COLUMNS FROM t",
            "SHOW FULL COLUMNS FROM `t` FROM db",
            "SHOW FULL FIELDS FROM t LIKE 'name'",
            "SHOW  COLUMNS IN db.t",
        ],
    ),
    (
        "Describe",
        &[
            "DESCRIBE `db`.`t` ",
            "EXPLAIN db.table",
            "DESC t name",
            "describe t 'na%'",
            "describe `d`.`SELECT * FROM t`",
        ],
    ),
    ("Show CreateTable", &["SHOW CREATE TABLE `t` "]),
    ("Show CreateDatabase", &["SHOW CREATE DATABASE `db`", "SHOW CREATE DATABASE IF NOT EXISTS `db` "]),
    ("Show Warnings", &["SHOW WARNINGS", "show warnings limit 64"]),
    ("Show Errors", &["SHOW ERRORS"]),
    (
        "Show Variables",
        &[
            "SHOW VARIABLES",
            "SHOW GLOBAL VARIABLES",
            "SHOW SESSION VARIABLES LIKE 'sql_mode'",
            "show /*!40003 GLOBAL */ variables",
            "SHOW VARIABLES WHERE Variable_name = 'version' OR Variable_name IN ('a', 'b')",
            "SHOW RAM VARIABLES LIKE 'x'",
        ],
    ),
    (
        "Show Status",
        &[
            "show status",
            "show global status",
            "show /*!50002 GLOBAL */ status",
            "SHOW STATUS LIKE 'Com\\_%'",
            "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
            "SHOW FILESYSTEM STATUS",
            "SHOW RAM STATUS",
            "SHOW AVG STATUS",
            "SHOW UPTIME STATUS",
        ],
    ),
    ("Show Processlist", &["SHOW PROCESSLIST", "show full processlist"]),
    ("Show Collation", &["SHOW COLLATION", "SHOW COLLATION WHERE Charset = 'utf8'"]),
    ("Show CharacterSet", &["SHOW CHARSET", "SHOW CHARACTER SET"]),
    ("Show Engines", &["SHOW ENGINES", "SHOW STORAGE ENGINES"]),
    ("Show Grants", &["SHOW GRANTS", "SHOW GRANTS FOR CURRENT_USER()", "SHOW GRANTS FOR 'a'@'%'"]),
    (
        "Show Empty",
        &[
            "SHOW PRIVILEGES",
            "SHOW PLUGINS",
            "SHOW EVENTS",
            "SHOW TRIGGERS FROM `db` LIKE 'pipes\\_messages'",
            "SHOW FUNCTION STATUS WHERE Db='x'",
            "SHOW PROCEDURE STATUS WHERE `Db`='x'",
            "SHOW MASTER STATUS",
            "SHOW SLAVE STATUS",
            "SHOW MASTER LOGS",
            "SHOW OPEN TABLES FROM db",
            "SHOW ENGINE INNODB STATUS",
            "SHOW CREATE PROCEDURE `x`",
            "HELP 'select'",
            "help 'contents'",
        ],
    ),
    (
        "Begin",
        &[
            "BEGIN",
            "begin;",
            "BEGIN WORK",
            "START TRANSACTION",
            "START TRANSACTION ",
            "START TRANSACTION /*!40100 WITH CONSISTENT SNAPSHOT */",
            "start transaction read only, with consistent snapshot",
        ],
    ),
    ("Commit", &["COMMIT", "COMMIT ", "commit;", "COMMIT WORK AND NO CHAIN NO RELEASE"]),
    ("Rollback", &["ROLLBACK", "rollback work"]),
    (
        "Savepoint",
        &[
            "SAVEPOINT `s1_x1`",
            "SAVEPOINT trx3;",
            "RELEASE SAVEPOINT x",
            "ROLLBACK TO SAVEPOINT x",
            "ROLLBACK TO x",
            "ROLLBACK WORK TO `x`",
        ],
    ),
    ("Use", &["use `CometQL_v1`;", "use db_2", "USE CometQL_v1"]),
    ("Kill", &["KILL 5", "KILL QUERY 5", "kill connection 5", "KILL ?"]),
    (
        "Nothing",
        &[
            "LOCK TABLES `t` READ /*!32311 LOCAL */,`u` WRITE",
            "UNLOCK TABLES",
            "FLUSH TABLES WITH READ LOCK",
            "flush hosts",
            "flush /*!40101 local */ privileges;",
        ],
    ),
];

#[test]
fn every_statement_seen_is_parsed() {
    for (expected, texts) in SEEN {
        for text in *texts {
            match parse(text, Dialect::default()) {
                Ok(statements) => {
                    let kinds: Vec<String> = statements.iter().map(kind).collect();
                    assert_eq!(kinds, [*expected], "{text}");
                }
                Err(error) => panic!("{text}\n{error}"),
            }
        }
    }
}

#[test]
fn no_text_breaks_the_parser() {
    let texts: Vec<&str> = SEEN.iter().flat_map(|(_, texts)| texts.iter().copied()).collect();
    let seed = 20_240;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for _ in 0..20_000 {
        let text = random.mutated(&texts);
        for (backslash_escapes, ansi_quotes) in [(true, false), (false, false), (true, true)] {
            for statement in Statements::new(&text, Dialect { backslash_escapes, ansi_quotes }).flatten() {
                read_strings(&statement);
            }
        }
    }
}

/// What the tables would do with the values.
fn read_strings(statement: &Statement) {
    if let Statement::Insert(insert) = statement {
        for value in insert.rows.iter().flatten() {
            if let Expression::Text(text) = value {
                assert!(text.mysql().len() <= text.raw.len());
                assert!(text.comet().len() <= text.raw.len());
            }
        }
    }
}
