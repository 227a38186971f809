"""PyMySQL: plain, TLS, an unbuffered cursor, a dictionary for a row, several statements at once."""

import pymysql
import pymysql.cursors
from pymysql.constants import CLIENT

from duties import HOST, PASSWORD, PIPE, PORT, SELECT, kept_rows, of_dbapi, one, refused, same


def connect(password, **options):
    return pymysql.connect(host=HOST, port=PORT, user="root", password=password, **options)


db = of_dbapi(connect)
db.ping(reconnect=False)
db.select_db("CometQL_v1")
same("reset", "ping and select_db", one(db, "SELECT DATABASE()"), "CometQL_v1")
db.autocommit(True)
same("reset", "autocommit is said back", db.get_autocommit(), True)
refused("another database", 1049, lambda: db.select_db("elsewhere"))
db.close()

with connect(PASSWORD, cursorclass=pymysql.cursors.SSDictCursor, ssl={"check_hostname": False}) as db:
    with db.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
        same("more", "TLS", cursor.fetchall()[0]["Value"] != "", True)
        cursor.execute(SELECT, (PIPE,))
        same("query", "dictionaries, unbuffered", [tuple(row.values()) for row in cursor], kept_rows())

with connect(PASSWORD, client_flag=CLIENT.MULTI_STATEMENTS) as db:
    with db.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2")
        first = cursor.fetchall()
        cursor.nextset()
        same("more", "two statements at once", (first, cursor.fetchall()), (((1,),), ((2,),)))
