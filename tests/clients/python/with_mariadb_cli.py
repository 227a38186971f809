"""The mariadb command: as a batch, and at a terminal with completion of names.

    python with_mariadb_cli.py <host> <port> <password> <pipe>
"""

import os
import subprocess

from duties import BATCH, EVENT, HOST, PASSWORD, PIPE, PORT, REFUSED, TEXT, ok, same
from terminal import Terminal

OPTIONS = ["--no-defaults", "--default-character-set=utf8mb4", "-h", HOST, "-P", str(PORT), "-u", "root"]
ENVIRONMENT = {**os.environ, "MYSQL_PWD": PASSWORD, "HOME": "/nonexistent"}


def batch(statements, *flags, password=PASSWORD):
    """Exit code, what it printed, and the number of the error."""
    command = ["mariadb", *OPTIONS, "--batch", "--skip-column-names", "--raw", *flags]
    environment = {**ENVIRONMENT, "MYSQL_PWD": password}
    done = subprocess.run(command, input=statements, capture_output=True, text=True, env=environment)
    said = next((line for line in done.stderr.splitlines() if line.startswith("ERROR ")), "ERROR 0")
    return done.returncode, done.stdout, int(said.split()[1])


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"') + "'"


def insert(*rows):
    values = ", ".join(f"('{PIPE}', '{event}', {literal(text)})" for event, text in rows)
    return f"INSERT INTO pipes_messages (name, event, message) VALUES {values};"


select = f"SELECT event, message FROM pipes_messages WHERE name = '{PIPE}';"
kept = "".join(f"{event}\t{text}\n" for event, text in [(EVENT, TEXT), *(("batch", text) for text in BATCH)])

same("refuse", "a wrong password: 1045", batch("SELECT 1", password="wrong")[::2], (1, 1045))
same("publish", "it is taken", batch(insert((EVENT, TEXT))), (0, "", 0))
same("query", "the row is read as it was written", batch(select), (0, f"{EVENT}\t{TEXT}\n", 0))
same("batch", "comments, and three rows", batch("-- a comment\n/* another */ " + insert(*(("batch", text) for text in BATCH))), (0, "", 0))
same("query", "with the database in the login", batch("", "-e", select, "CometQL_v1"), (0, kept, 0))
for what, (number, statement) in REFUSED.items():
    same("refuse", f"{what}: {number}", batch(statement)[::2], (1, number))
same("more", "it goes on after an error that is forced", batch("SELEC; SELECT 1;", "--force")[1], "1\n")
same("more", "TLS", batch("SHOW STATUS LIKE 'Ssl_cipher'", "--ssl")[1].strip().endswith("Ssl_cipher"), False)

terminal = Terminal(["mariadb", *OPTIONS, "--prompt=ask me> "], ENVIRONMENT)
terminal.until("ask me> ")
same("more", "terminal: use", "Database changed" in terminal.asked("use CometQL_v1"), True)
terminal.asked("rehash")
for what, beginning, whole in [("a table", "SELECT * FROM pipes_se", "pipes_settings"), ("a column", "SELECT pipes_messages.mess", "pipes_messages.message")]:
    terminal.completed(beginning, whole)
    ok("more", f"terminal: {what} is completed")
status = terminal.asked("\\s")
same("more", "terminal: status", ["Current database:\tCometQL_v1" in status, "Uptime:" in status, "utf8mb4" in status], [True] * 3)
shown = terminal.asked(insert(("terminal", "typed")))
same("publish", "terminal", "Query OK, 1 row affected" in shown, True)
shown = terminal.asked(f"SELECT message FROM pipes_messages WHERE name = '{PIPE}' AND event = 'terminal'\\G")
same("query", "terminal: vertical", "message: typed" in shown, True)
same("refuse", "terminal: 12", "ERROR 12 (HY000)" in terminal.asked(REFUSED["a bad name"][1] + ";"), True)
same("more", "terminal: warnings", "Show warnings enabled" in terminal.asked("\\W"), True)
terminal.asked("help select")
same("reset", "terminal: resetconnection, or a new connection", "ERROR" in terminal.asked("connect CometQL_v1"), False)
same("reset", "terminal: as before", "4 rows in set" in terminal.asked(select.replace(";", " LIMIT 4;")), True)
same("more", "terminal: exit", terminal.left("exit"), 0)
