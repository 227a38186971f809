"""Publishes and reads with the mariadb command: escaped by hand, as programs do that run it.

    python mariadb_cli.py <host> <port> <password>
"""

import os
import subprocess

from checks import HOST, PASSWORD, PAYLOADS, PORT, check

COMMAND = ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--batch", "--skip-column-names"]
COMMAND += ["-h", HOST, "-P", str(PORT), "-u", "root"]


def run(*flags, statements=None):
    """One call of the command; what it prints."""
    environment = {**os.environ, "MYSQL_PWD": PASSWORD}
    # Bytes: Python would change the line breaks of text.
    printed = subprocess.run([*COMMAND, *flags], input=statements, stdout=subprocess.PIPE, check=True, env=environment)
    return printed.stdout.decode()


def escaped(text):
    """With backslashes, as mysql_real_escape_string does it."""
    pairs = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"}
    return "'" + text.translate(str.maketrans(pairs)) + "'"


def doubled(text):
    """As little as is needed: the command drops a CR before a line break, and every NUL."""
    pairs = {"\\": "\\\\", "'": "''", "\r": "\\r", "\0": "\\0"}
    return "'" + text.translate(str.maketrans(pairs)) + "'"


def insert(pipe, literals):
    return "".join(
        f"INSERT INTO pipes_messages (name, event, message) VALUES ('{pipe}', 'client', {literal});\n"
        for literal in literals
    )


def select(pipe):
    """In batch mode the command shows line breaks, tabs and backslashes as pairs."""
    lines = run("-e", f"SELECT message FROM pipes_messages WHERE name = '{pipe}'").split("\n")[:-1]
    pairs = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    texts = []
    for line in lines:
        pieces = iter(line.split("\\"))
        text = next(pieces)
        for piece in pieces:
            # An empty piece is between two backslashes.
            text += pairs[piece[0]] + piece[1:] if piece else "\\" + next(pieces)
        texts.append(text)
    return texts


run(statements=insert("mariadb_escaped", map(escaped, PAYLOADS)).encode())
check("escaped", select("mariadb_escaped"))

run(statements=insert("mariadb_doubled", map(doubled, PAYLOADS)).encode())
check("doubled", select("mariadb_doubled"))

for payload in PAYLOADS:
    run("-e", insert("mariadb_flag", [escaped(payload)]))
check("flag", select("mariadb_flag"))
