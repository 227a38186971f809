"""What is asked of every client, for the Python scripts: publish, query, batch, reset, be refused.

    python with_<client>.py <host> <port> <password> <pipe>

The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
the script.
"""

import sys

HOST, PORT, PASSWORD, PIPE = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

# As tests/matrix.rs hears it.
EVENT = "published"
TEXT = """{"text":"it's \\"quoted\\", a \\\\ and 😀"}"""
BATCH = ["one", "two", "three"]

INSERT = "INSERT INTO pipes_messages (name, event, message) VALUES (%s, %s, %s)"
SELECT = "SELECT name, event, message FROM pipes_messages WHERE name = %s"

# What is refused, and the number that says why.
REFUSED = {
    "a table that is not there": (15, "INSERT INTO no_such_table (name) VALUES ('x')"),
    "a bad name": (12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"),
    "a syntax error": (3, "INSERT INTO pipes_messages (name, event"),
}


def ok(duty, what):
    print(f"ok {duty}: {what}", flush=True)


def same(duty, what, seen, wanted):
    """A check, and its line."""
    if seen != wanted:
        sys.exit(f"not ok {duty}: {what}: {seen!r}, where {wanted!r} is right")
    ok(duty, what)


def refused(what, number, call, number_of=lambda error: error.args[0]):
    """The call fails with this number."""
    try:
        call()
    except Exception as error:  # Each library has its own.
        same("refuse", f"{what}: {number}", number_of(error), number)
    else:
        sys.exit(f"not ok refuse: {what} is allowed")


def kept_rows():
    """All that a client has published."""
    return [(PIPE, EVENT, TEXT)] + [(PIPE, "batch", text) for text in BATCH]


def of_dbapi(connect, number_of=lambda error: error.args[0], marks="%s"):
    """The duties of a DB-API driver, but for its reset. `connect` takes the password; answers the connection."""
    insert, select = INSERT.replace("%s", marks), SELECT.replace("%s", marks)
    refused("a wrong password", 1045, lambda: connect("wrong"), number_of)
    db = connect(PASSWORD)
    cursor = db.cursor()
    cursor.execute(insert, (PIPE, EVENT, TEXT))
    same("publish", "one row is affected", cursor.rowcount, 1)
    db.commit()
    cursor.execute(select, (PIPE,))
    same("query", "the row is read as it was written", list(map(tuple, cursor.fetchall())), [(PIPE, EVENT, TEXT)])
    same("query", "the columns have their names", [column[0] for column in cursor.description], ["name", "event", "message"])
    cursor.executemany(insert, [(PIPE, "batch", text) for text in BATCH])
    db.commit()
    cursor.execute(select, (PIPE,))
    same("batch", "three rows more", list(map(tuple, cursor.fetchall())), kept_rows())
    for what, (number, statement) in REFUSED.items():
        refused(what, number, lambda statement=statement: cursor.execute(statement), number_of)
    cursor.execute("SELECT 1")
    same("query", "a statement after those refused", list(map(tuple, cursor.fetchall())), [(1,)])
    cursor.close()
    return db


def one(db, statement):
    """The only value of the only row."""
    cursor = db.cursor()
    cursor.execute(statement)
    (row,) = cursor.fetchall()
    cursor.close()
    return row[0]
