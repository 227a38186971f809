//! Subjects of SHOW that MySQL has and that are always empty here, with the columns clients look for.

use super::Listing;
use super::schema::texts;

const ROUTINES: &[&str] = &[
    "Db",
    "Name",
    "Type",
    "Definer",
    "Modified",
    "Created",
    "Security_type",
    "Comment",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];

const TRIGGERS: &[&str] = &[
    "Trigger",
    "Event",
    "Table",
    "Statement",
    "Timing",
    "Created",
    "sql_mode",
    "Definer",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];

const EVENTS: &[&str] = &[
    "Db",
    "Name",
    "Definer",
    "Time zone",
    "Type",
    "Execute at",
    "Interval value",
    "Interval field",
    "Starts",
    "Ends",
    "Status",
    "Originator",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];

const REPLICAS: &[&str] = &[
    "Slave_IO_State",
    "Master_Host",
    "Master_User",
    "Master_Port",
    "Slave_IO_Running",
    "Slave_SQL_Running",
    "Last_Errno",
    "Last_Error",
    "Seconds_Behind_Master",
];

pub(super) fn listing(words: &str) -> Listing {
    let names: &[&'static str] = match words {
        "function status" | "procedure status" | "package status" | "package body status" => ROUTINES,
        "triggers" => TRIGGERS,
        "events" => EVENTS,
        "slave status" | "replica status" | "all slaves status" => REPLICAS,
        "open tables" => &["Database", "Table", "In_use", "Name_locked"],
        "plugins" => &["Name", "Status", "Type", "Library", "License"],
        "privileges" => &["Privilege", "Context", "Comment"],
        "master status" | "binary log status" | "binlog status" => {
            &["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"]
        }
        "master logs" | "binary logs" => &["Log_name", "File_size", "Encrypted"],
        "slave hosts" | "replicas" => &["Server_id", "Host", "Port", "Master_id"],
        "profiles" => &["Query_ID", "Duration", "Query"],
        "profile" => &["Status", "Duration"],
        "help" => &["name", "description", "example"],
        _ => &["Name", "Value"],
    };
    Listing { name: "this list", headings: texts(names), rows: Vec::new() }
}
