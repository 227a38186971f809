"""Publishes and reads with mysql-connector-python: pure and with its C extension, plain and prepared.

    python mysql_connector.py <host> <port> <password>
"""

import mysql.connector

from checks import HOST, INSERT, PASSWORD, PAYLOADS, PORT, SELECT, check


def publish(style, use_pure, **cursor_options):
    db = mysql.connector.connect(host=HOST, port=PORT, user="root", password=PASSWORD, use_pure=use_pure)
    pipe = f"connector_{style}"
    with db.cursor(**cursor_options) as cursor:
        for payload in PAYLOADS:
            cursor.execute(INSERT, (pipe, "client", payload))
            assert cursor.rowcount == 1
        db.commit()
    with db.cursor(**cursor_options) as cursor:
        cursor.execute(SELECT, (pipe,))
        kept = [message for (message,) in cursor.fetchall()]
    db.close()
    # Prepared cursors of the C extension show texts up to their first NUL only.
    shown = [payload.split("\0")[0] if style == "c_prepared" else payload for payload in PAYLOADS]
    check(style, kept, shown)


assert mysql.connector.HAVE_CEXT, "the C extension is not there"
publish("pure", use_pure=True)
publish("pure_prepared", use_pure=True, prepared=True)
publish("c", use_pure=False)
publish("c_prepared", use_pure=False, prepared=True)
