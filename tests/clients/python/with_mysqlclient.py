"""mysqlclient, over the C library: users changed, several statements at once, an unbuffered cursor."""

import MySQLdb
import MySQLdb.cursors

from duties import HOST, PASSWORD, PIPE, PORT, SELECT, kept_rows, of_dbapi, one, refused, same


def connect(password, **options):
    return MySQLdb.connect(host=HOST, port=PORT, user="root", password=password, charset="utf8mb4", **options)


db = of_dbapi(connect)
db.ping()
db.query("SET SESSION wait_timeout = 7")
db.change_user("root", PASSWORD, "CometQL_v1")
same("reset", "change_user forgets what was set", one(db, "SELECT @@wait_timeout") != 7, True)
same("reset", "change_user chooses the database", one(db, "SELECT DATABASE()"), "CometQL_v1")
refused("another database", 1049, lambda: db.select_db("elsewhere"))
same("more", "stat", db.stat().startswith("Uptime: "), True)
db.close()

db = connect(PASSWORD, cursorclass=MySQLdb.cursors.SSCursor)
cursor = db.cursor()
cursor.execute(SELECT, (PIPE,))
same("query", "unbuffered", list(cursor), kept_rows())
cursor.execute("SELECT 1; SELECT 2")
first = cursor.fetchall()
cursor.nextset()
same("more", "two statements at once", (first, cursor.fetchall()), (((1,),), ((2,),)))
db.close()

db = connect(PASSWORD, ssl_mode="REQUIRED")
cursor = db.cursor()
cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
same("more", "TLS", cursor.fetchone()[1] != "", True)
