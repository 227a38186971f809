"""Publishes and reads with PyMySQL.

    python pymysql_client.py <host> <port> <password>
"""

import pymysql

from checks import HOST, INSERT, PASSWORD, PAYLOADS, PORT, SELECT, check

db = pymysql.connect(host=HOST, port=PORT, user="root", password=PASSWORD)
with db.cursor() as cursor:
    for payload in PAYLOADS:
        assert cursor.execute(INSERT, ("pymysql_one", "client", payload)) == 1
    db.commit()
    cursor.execute(SELECT, ("pymysql_one",))
    check("one", [message for (message,) in cursor.fetchall()])

    rows = [("pymysql_many", "client", payload) for payload in PAYLOADS]
    assert cursor.executemany(INSERT, rows) == len(PAYLOADS)
    db.commit()
    cursor.execute(SELECT, ("pymysql_many",))
    check("many", [message for (message,) in cursor.fetchall()])
db.close()
