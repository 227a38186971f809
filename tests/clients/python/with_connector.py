"""mysql-connector-python, pure or with its C extension: sessions reset, users changed, a pool.

    python with_connector.py <host> <port> <password> <pipe> pure|c
"""

import sys

import mysql.connector
from mysql.connector.pooling import MySQLConnectionPool

from duties import HOST, PASSWORD, PIPE, PORT, SELECT, kept_rows, of_dbapi, one, same

OPTIONS = {"host": HOST, "port": PORT, "user": "root", "use_pure": sys.argv[5] == "pure"}


def connect(password):
    return mysql.connector.connect(password=password, **OPTIONS)


db = of_dbapi(connect, number_of=lambda error: error.errno)
before = one(db, "SELECT @@wait_timeout")
db.cmd_query("SET SESSION wait_timeout = 7")
db.reset_session()
same("reset", "reset_session forgets what was set", one(db, "SELECT @@wait_timeout"), before)
db.cmd_change_user(username="root", password=PASSWORD, database="CometQL_v1")
same("reset", "cmd_change_user", one(db, "SELECT DATABASE()"), "CometQL_v1")
with db.cursor(prepared=True) as cursor:
    cursor.execute(SELECT, (PIPE,))
    same("query", "prepared", cursor.fetchall(), kept_rows())
db.close()

pool = MySQLConnectionPool(pool_name="one", pool_size=1, password=PASSWORD, **OPTIONS)
for round in ("first", "second"):
    with pool.get_connection() as db:
        same("reset", f"the pool's {round} loan", one(db, "SELECT 1"), 1)
