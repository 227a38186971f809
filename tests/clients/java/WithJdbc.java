import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * What is asked of every client, with JDBC: publish, query, batch, reset, be refused.
 *
 * <pre>java WithJdbc &lt;host> &lt;port> &lt;password> &lt;pipe> mysql|mariadb</pre>
 *
 * The pipe keeps what it gets, and is listened to. Each check is a line {@code ok <duty>: <what>}; the first that
 * fails ends the program.
 */
public class WithJdbc {
    // As tests/matrix.rs hears it.
    static final String EVENT = "published";
    static final String TEXT = "{\"text\":\"it's \\\"quoted\\\", a \\\\ and 😀\"}";
    static final String INSERT = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)";
    static final String SELECT = "SELECT name, event, message FROM pipes_messages WHERE name = ?";

    record Refused(String what, int number, String statement) {}

    static final List<Refused> REFUSED = List.of(
        new Refused("a table that is not there", 15, "INSERT INTO no_such_table (name) VALUES ('x')"),
        new Refused("a bad name", 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"),
        new Refused("a syntax error", 3, "INSERT INTO pipes_messages (name, event"));

    interface Call {
        void run() throws SQLException;
    }

    static String host, port, pipe, driver;

    public static void main(String[] given) throws SQLException {
        host = given[0];
        port = given[1];
        String password = given[2];
        pipe = given[3];
        driver = given[4];

        refused("a wrong password", 1045, () -> open("wrong", ""));
        List<String> all = new ArrayList<>(List.of(pipe + "," + EVENT + "," + TEXT));
        try (Connection db = open(password, "")) {
            same("publish", "one row is affected", insert(db, EVENT, TEXT)[0], 1);
            same("query", "the row is read as it was written", kept(db), all);
            db.setAutoCommit(false);
            insert(db, "batch", "one", "two");
            db.commit();
            db.setAutoCommit(true);
            all.addAll(List.of(pipe + ",batch,one", pipe + ",batch,two"));
            same("batch", "a batch, in a transaction", kept(db), all);
            for (Refused wrong : REFUSED) {
                refused(wrong.what, wrong.number, () -> run(db, wrong.statement));
            }
            same("reset", "isValid", db.isValid(10), true);
            run(db, "SET SESSION wait_timeout = 7");
            reset(db);
            same("reset", "what was set is forgotten", !one(db, "SELECT @@wait_timeout").equals("7"), true);
            same("more", "the database has a catalogue", tables(db).containsAll(List.of("pipes", "pipes_messages")), true);
            same("more", "the version", db.getMetaData().getDatabaseProductVersion().startsWith("8.0."), true);
        }
        try (Connection db = open(password, "&useServerPrepStmts=true&rewriteBatchedStatements=true&useCursorFetch=true")) {
            insert(db, "server", "three", "four");
            all.addAll(List.of(pipe + ",server,three", pipe + ",server,four"));
            same("batch", "prepared by the server, batches rewritten", kept(db), all);
        }
        String tls = driver.equals("mysql") ? "&sslMode=REQUIRED" : "&sslMode=trust";
        try (Connection db = open(password, tls + "&allowMultiQueries=true"); Statement both = db.createStatement()) {
            both.execute("SHOW STATUS LIKE 'Ssl_cipher'; SELECT 2");
            ResultSet first = both.getResultSet();
            first.next();
            same("more", "TLS", !first.getString(2).isEmpty(), true);
            both.getMoreResults();
            ResultSet second = both.getResultSet();
            second.next();
            same("more", "two statements at once", second.getInt(1), 2);
        }
    }

    static Connection open(String password, String options) throws SQLException {
        String url = "jdbc:" + driver + "://" + host + ":" + port + "/CometQL_v1?connectTimeout=60000" + options;
        return DriverManager.getConnection(url, "root", password);
    }

    static int[] insert(Connection db, String event, String... messages) throws SQLException {
        try (PreparedStatement insert = db.prepareStatement(INSERT)) {
            for (String message : messages) {
                insert.setString(1, pipe);
                insert.setString(2, event);
                insert.setString(3, message);
                insert.addBatch();
            }
            return insert.executeBatch();
        }
    }

    static List<String> kept(Connection db) throws SQLException {
        try (PreparedStatement select = db.prepareStatement(SELECT)) {
            select.setFetchSize(2);
            select.setString(1, pipe);
            List<String> rows = new ArrayList<>();
            for (ResultSet row = select.executeQuery(); row.next();) {
                rows.add(row.getString("name") + "," + row.getString("event") + "," + row.getString("message"));
            }
            return rows;
        }
    }

    static void run(Connection db, String statement) throws SQLException {
        try (Statement plain = db.createStatement()) {
            plain.execute(statement);
        }
    }

    static String one(Connection db, String select) throws SQLException {
        try (Statement plain = db.createStatement(); ResultSet row = plain.executeQuery(select)) {
            row.next();
            return row.getString(1);
        }
    }

    static List<String> tables(Connection db) throws SQLException {
        List<String> names = new ArrayList<>();
        for (ResultSet row = db.getMetaData().getTables("CometQL_v1", null, "%", null); row.next();) {
            names.add(row.getString("TABLE_NAME"));
        }
        return names;
    }

    /** As its pools do it. */
    static void reset(Connection db) throws SQLException {
        if (driver.equals("mysql")) {
            db.unwrap(com.mysql.cj.jdbc.JdbcConnection.class).resetServerState();
        } else {
            org.mariadb.jdbc.Connection own = db.unwrap(org.mariadb.jdbc.Connection.class);
            own.getClient().execute(org.mariadb.jdbc.message.client.ResetPacket.INSTANCE, true);
        }
    }

    static void refused(String what, int number, Call call) {
        try {
            call.run();
        } catch (SQLException refusal) {
            same("refuse", what + ": " + number, refusal.getErrorCode(), number);
            return;
        }
        fail("not ok refuse: " + what + " is allowed");
    }

    static void same(String duty, String what, Object seen, Object wanted) {
        if (!seen.equals(wanted)) {
            fail("not ok " + duty + ": " + what + ": " + seen + ", where " + wanted + " is right");
        }
        System.out.println("ok " + duty + ": " + what);
    }

    static void fail(String reason) {
        System.err.println(reason);
        System.exit(1);
    }
}
