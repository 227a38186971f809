"""MariaDB's own Python connector over a libmariadb of 3.4 or newer, which insists on TLS and on a certificate that it
can trust: one that the server made for itself is proven with the password, from anywhere but this machine.

    python with_libmariadb.py <host> <port> <password> <pipe>
"""

import socket
import threading

import mariadb

from duties import HOST, PASSWORD, PIPE, PORT, SELECT, kept_rows, of_dbapi, one, refused, same

# No client knows this address for this machine's.
ELSEWHERE = "127.0.0.2"


def copy(source, target):
    while piece := source.recv(65536):
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)


def lead(listener):
    """Leads what connects from elsewhere to the node."""
    while True:
        client, _ = listener.accept()
        node = socket.create_connection((HOST, PORT))
        for ends in ((client, node), (node, client)):
            threading.Thread(target=copy, args=ends, daemon=True).start()


listener = socket.create_server((ELSEWHERE, 0))
threading.Thread(target=lead, args=(listener,), daemon=True).start()
# What programs in C have by default; this connector must be told.
INSISTING = {"ssl": True, "ssl_verify_cert": True}
NODE = {"host": ELSEWHERE, "port": listener.getsockname()[1], "user": "root", **INSISTING}


def connect(password):
    return mariadb.connect(password=password, **NODE)


def number_of(error):
    return error.errno


same("more", "the C library is used", mariadb.__impl__, "binary")
db = of_dbapi(connect, number_of, marks="?")
cursor = db.cursor()
cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
same("more", "TLS, the certificate proven by the password", cursor.fetchone()[1] != "", True)
cursor.execute("SET SESSION wait_timeout = 7")
db.reset()
same("reset", "reset forgets what was set", one(db, "SELECT @@wait_timeout") != 7, True)
db.change_user("root", PASSWORD, "CometQL_v1")
same("reset", "change_user", one(db, "SELECT DATABASE()"), "CometQL_v1")
cursor = db.cursor(binary=True)
cursor.execute(SELECT.replace("%s", "?"), (PIPE,))
same("query", "prepared", list(map(tuple, cursor.fetchall())), kept_rows())
db.close()
