//! The errors of statements on tables: the documented number and text first, then what was wrong, where, and
//! what to do.

use super::SqlError;
use crate::node::StoreError;
use crate::user::TenantId;

/// 2: a feature this server does not have.
pub(super) fn not_implemented(text: impl Into<String>) -> SqlError {
    SqlError::new(2, "HY000", text)
}

/// 10: what the server itself writes cannot be written by a statement.
pub(super) fn read_only(text: impl Into<String>) -> SqlError {
    SqlError::new(10, "HY000", text)
}

/// 11: longer than its limit.
pub(super) fn too_long(text: impl Into<String>) -> SqlError {
    SqlError::new(11, "22001", text)
}

/// 12: a value that its column cannot have.
pub(super) fn invalid(text: impl Into<String>) -> SqlError {
    SqlError::new(12, "HY000", text)
}

/// 12, for a value that is missing or NULL.
pub(super) fn required(column: &str, row: &str) -> SqlError {
    SqlError::new(12, "23000", format!("field `{column}` is required{row}: give it a value that is not NULL"))
}

/// 13: conditions or columns that cannot be served.
pub(super) fn conditions(text: impl Into<String>) -> SqlError {
    SqlError::new(13, "42000", text)
}

/// 14: no such column.
pub(super) fn unknown_column(column: &str, table: &str, columns: &[&str]) -> SqlError {
    let columns = columns.join("`, `");
    SqlError::new(
        14,
        "42S22",
        format!("Not a specific column: there is no `{column}` in `{table}`, its columns are `{columns}`"),
    )
}

/// 14: a column where no table is read.
pub(super) fn column_without_table(column: &str) -> SqlError {
    SqlError::new(
        14,
        "42S22",
        format!("Not a specific column: `{column}` is not known here, name its table with FROM or quote a text"),
    )
}

/// 14: values and columns do not fit each other.
pub(super) fn columns_list(text: impl Into<String>) -> SqlError {
    SqlError::new(14, "21S01", format!("Error in columns list: {}", text.into()))
}

/// 15: no such table, for statements on rows.
pub(super) fn unknown_table(table: &str, tables: &str) -> SqlError {
    SqlError::new(15, "42S02", format!("Table doesn't exist: there is no `{table}`, the tables are {tables}"))
}

/// 1146: no such table, for statements that ask about tables; SQLAlchemy and pandas act on this number.
pub(super) fn no_such_table(database: &str, table: &str) -> SqlError {
    SqlError::new(1146, "42S02", format!("Table '{database}.{table}' doesn't exist"))
}

/// 16: a cluster prefix that names no tenant.
pub(super) fn invalid_tenant() -> SqlError {
    let last = TenantId::COUNT_MAX - 1;
    SqlError::new(16, "HY000", format!("Invalid dev_id value: expected a number from 0 to {last} and a `;` behind it"))
}

/// 17: shorter than allowed.
pub(super) fn too_short(text: impl Into<String>) -> SqlError {
    SqlError::new(17, "HY000", text)
}

/// 19: more values in one statement than its limit.
pub(super) fn too_many_values(text: impl Into<String>) -> SqlError {
    SqlError::new(19, "HY000", format!("Error in expression list, too many values. {}", text.into()))
}

/// 20: more columns in one answer than its limit.
pub(super) fn too_many_columns(text: impl Into<String>) -> SqlError {
    SqlError::new(20, "HY000", format!("Error in columns list, too many columns. {}", text.into()))
}

pub(super) fn unknown_database(database: &str) -> SqlError {
    SqlError::new(1049, "42000", format!("Unknown database '{database}': the database is `CometQL_v1`"))
}

/// 1205 is the number that every client library takes for "nothing was done, run it again". 1180, an error during
/// COMMIT, is one that none takes for that: whoever published knows whether the rows may be said again.
impl From<StoreError> for SqlError {
    fn from(error: StoreError) -> SqlError {
        match error {
            StoreError::Unavailable(_) => {
                SqlError::new(1205, "HY000", format!("{error}. Nothing was done: run the statement again"))
            }
            StoreError::Unknown(_) => SqlError::new(
                1180,
                "HY000",
                format!(
                    "{error}. Messages may have been published: if each row has a `uuid`, run the statement again and \
                     nothing is published twice; give each row one to make it repeatable"
                ),
            ),
            StoreError::Damaged(_) => SqlError::new(
                500,
                "HY000",
                format!("internal server error: {error}. Ask the operator to look at the server's log"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_not_said_to_be_run_again() {
        let away = SqlError::from(StoreError::Unavailable("away".into()));
        assert_eq!(away.code, 1205);
        assert!(away.message.contains("Nothing was done: run the statement again"), "{}", away.message);
        let unknown = SqlError::from(StoreError::Unknown("it broke".into()));
        assert_eq!(unknown.code, 1180);
        let says = |what: &str| unknown.message.contains(what);
        assert!(says("may have been published") && says("give each row one"), "{}", unknown.message);
        assert!(!says("Nothing was done") && !says("try restarting"), "{}", unknown.message);
    }
}
