/* What is asked of every client, with the C library of MariaDB: publish, query, batch, reset, be refused.
 *
 *   with_c <host> <port> <password> <pipe>
 *
 * The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
 * the program. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSERT "INSERT INTO pipes_messages (name, event, message) VALUES "
/* As tests/matrix.rs hears it. */
static const char TEXT[] = "{\"text\":\"it's \\\"quoted\\\", a \\\\ and 😀\"}";

static const struct { const char *what; unsigned number; const char *statement; } REFUSED[] = {
    {"a table that is not there", 15, "INSERT INTO no_such_table (name) VALUES ('x')"},
    {"a bad name", 12, INSERT "('a b', 'e', 'm')"},
    {"a syntax error", 3, "INSERT INTO pipes_messages (name, event"},
};

static MYSQL *db;
static char *pipe_name;

static void same(const char *duty, const char *what, unsigned long long seen, unsigned long long wanted) {
    if (seen != wanted) {
        fprintf(stderr, "not ok %s: %s: %llu, where %llu is right; %s\n", duty, what, seen, wanted, mysql_error(db));
        exit(1);
    }
    printf("ok %s: %s\n", duty, what);
}

static MYSQL *opened(char **given, const char *password, unsigned long flags) {
    MYSQL *new_one = mysql_init(NULL);
    mysql_options(new_one, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_real_connect(new_one, given[1], "root", password, "CometQL_v1", atoi(given[2]), NULL, flags);
    return new_one;
}

/* How many rows of the answer have this in their first column. */
static unsigned long long rows_with(const char *text) {
    unsigned long long count = 0;
    MYSQL_RES *result = mysql_store_result(db);
    for (MYSQL_ROW row; result && (row = mysql_fetch_row(result));) count += strcmp(row[0], text) == 0;
    mysql_free_result(result);
    return count;
}

static unsigned long long kept(const char *text) {
    char statement[256];
    snprintf(statement, sizeof statement, "SELECT message FROM pipes_messages WHERE name = '%s'", pipe_name);
    same("query", "it is answered", mysql_query(db, statement), 0);
    return rows_with(text);
}

static MYSQL_BIND bound(const char *text) {
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING, .buffer = (void *)text, .buffer_length = strlen(text)};
    return bind;
}

/* The message in two pieces, sent before the statement is run. */
static void in_pieces(void) {
    static const char insert[] = INSERT "(?, ?, ?)";
    MYSQL_BIND values[] = {bound(pipe_name), bound("pieces"), bound("")};
    MYSQL_STMT *statement = mysql_stmt_init(db);
    same("more", "prepared", mysql_stmt_prepare(statement, insert, strlen(insert)), 0);
    mysql_stmt_bind_param(statement, values);
    mysql_stmt_send_long_data(statement, 2, "in ", 3);
    mysql_stmt_send_long_data(statement, 2, "pieces", 6);
    same("more", "long data is taken", mysql_stmt_execute(statement), 0);
    same("publish", "prepared: one row is affected", mysql_stmt_affected_rows(statement), 1);
    mysql_stmt_close(statement);
    same("query", "the pieces are one message", kept("in pieces"), 1);
}

/* A cursor, from which rows come two at a time. */
static void with_cursor(unsigned long long rows) {
    static const char select[] = "SELECT message FROM pipes_messages WHERE name = ?";
    unsigned long type = CURSOR_TYPE_READ_ONLY, page = 2, length;
    char message[256];
    MYSQL_BIND value = bound(pipe_name), column = {.buffer_type = MYSQL_TYPE_STRING, .buffer = message, .buffer_length = sizeof message, .length = &length};
    MYSQL_STMT *statement = mysql_stmt_init(db);
    mysql_stmt_attr_set(statement, STMT_ATTR_CURSOR_TYPE, &type);
    mysql_stmt_attr_set(statement, STMT_ATTR_PREFETCH_ROWS, &page);
    mysql_stmt_prepare(statement, select, strlen(select));
    mysql_stmt_bind_param(statement, &value);
    same("query", "a cursor is opened", mysql_stmt_execute(statement), 0);
    mysql_stmt_bind_result(statement, &column);
    unsigned long long count = 0;
    while (mysql_stmt_fetch(statement) == 0) count++;
    same("query", "a cursor gives all rows", count, rows);
    mysql_stmt_close(statement);
}

int main(int count, char **given) {
    if (count != 5) return 2;
    pipe_name = given[4];
    same("refuse", "a wrong password: 1045", mysql_errno(opened(given, "wrong", 0)), 1045);
    db = opened(given, given[3], CLIENT_MULTI_STATEMENTS);

    char escaped[512], statement[1024];
    mysql_real_escape_string(db, escaped, TEXT, strlen(TEXT));
    snprintf(statement, sizeof statement, INSERT "('%s', 'published', '%s')", pipe_name, escaped);
    same("publish", "it is taken", mysql_query(db, statement), 0);
    same("publish", "one row is affected", mysql_affected_rows(db), 1);
    same("query", "the row is read as it was written", kept(TEXT), 1);

    snprintf(statement, sizeof statement, INSERT "('%s', 'batch', 'same'), ('%s', 'batch', 'same'); SELECT 1", pipe_name, pipe_name);
    same("batch", "two statements at once", mysql_query(db, statement), 0);
    same("batch", "two rows are affected", mysql_affected_rows(db), 2);
    same("batch", "there is one more result", mysql_next_result(db), 0);
    same("batch", "which is right", rows_with("1"), 1);
    same("batch", "there is none more", mysql_next_result(db), (unsigned long long)-1);
    same("batch", "both are kept", kept("same"), 2);
    in_pieces();
    with_cursor(4);

    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        mysql_query(db, REFUSED[i].statement);
        same("refuse", REFUSED[i].what, mysql_errno(db), REFUSED[i].number);
    }
    mysql_query(db, "SET SESSION wait_timeout = 7");
    same("reset", "mysql_reset_connection", mysql_reset_connection(db), 0);
    same("reset", "what was set is forgotten", mysql_query(db, "SELECT @@wait_timeout") + rows_with("7"), 0);
    same("reset", "mysql_change_user", mysql_change_user(db, "root", given[3], "CometQL_v1"), 0);
    same("query", "as before", kept("same"), 2);

    MYSQL_RES *fields = mysql_list_fields(db, "pipes_settings", NULL);
    same("more", "mysql_list_fields", fields && strcmp(mysql_fetch_field(fields)->name, "name") == 0, 1);
    mysql_free_result(fields);
    same("more", "mysql_stat", strncmp(mysql_stat(db), "Uptime: ", 8), 0);
    same("more", "mysql_set_server_option", mysql_set_server_option(db, MYSQL_OPTION_MULTI_STATEMENTS_OFF), 0);
    same("refuse", "two statements at once, now", mysql_query(db, "SELECT 1; SELECT 2") != 0, 1);
    same("more", "mysql_ping", mysql_ping(db), 0);
    mysql_close(db);
    return 0;
}
