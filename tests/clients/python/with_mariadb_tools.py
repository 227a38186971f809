"""What comes with the mariadb command: mysqladmin, mysqlshow, mysqldump, mysqlslap.

    python with_mariadb_tools.py <host> <port> <password> <pipe>
"""

import os
import subprocess

from duties import BATCH, EVENT, HOST, PASSWORD, PIPE, PORT, TEXT, same

OPTIONS = ["--no-defaults", "-h", HOST, "-P", str(PORT), "-u", "root"]
UTF8 = "--default-character-set=utf8mb4"


def run(tool, *arguments, password=PASSWORD, statements=None):
    """Exit code, what is printed, what is complained."""
    environment = {**os.environ, "MYSQL_PWD": password}
    done = subprocess.run([tool, *OPTIONS, *arguments], input=statements, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr


def prints(duty, what, call, *parts):
    """It succeeds, says nothing on the side, and prints these parts."""
    code, printed, complaint = call
    same(duty, what, (code, complaint, [part for part in parts if part not in printed]), (0, "", []))


def literal(text):
    """As mysqldump writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"') + "'"


rows = [(EVENT, TEXT), *(("batch", text) for text in BATCH)]
for event, text in rows:
    values = f"('{PIPE}', '{event}', {literal(text)})"
    run("mariadb", UTF8, "-e", f"INSERT INTO pipes_messages (name, event, message) VALUES {values}")

same("refuse", "mysqladmin ping, wrong password", "Access denied" in run("mysqladmin", "ping", password="wrong")[2], True)
prints("more", "mysqladmin ping", run("mysqladmin", "ping"), "mysqld is alive")
prints("more", "mysqladmin status", run("mysqladmin", "status"), "Uptime: ", "  Threads: ")
prints("more", "mysqladmin version", run("mysqladmin", "version"), "Server version", "Uptime:")
prints("more", "mysqladmin processlist", run("mysqladmin", "processlist"), "root", "127.0.0.1")
prints("more", "mysqladmin variables", run("mysqladmin", "variables"), "max_allowed_packet", "version_comment")
prints("more", "mysqladmin extended-status", run("mysqladmin", "extended-status"), "Uptime", "Questions")
prints("more", "mysqladmin flush-hosts, refresh", run("mysqladmin", "flush-hosts", "refresh"))
same("refuse", "mysqladmin shutdown", run("mysqladmin", "shutdown")[0], 1)
same("refuse", "mysqladmin kill of nobody", "Unknown thread id: 99999" in run("mysqladmin", "kill", "99999")[2], True)

prints("more", "mysqlshow", run("mysqlshow"), "CometQL_v1")
prints("more", "mysqlshow of the database", run("mysqlshow", "--count", "CometQL_v1"), "pipes_messages", "pipes_settings")
prints("more", "mysqlshow of a table", run("mysqlshow", "--keys", "CometQL_v1", "pipes"), "varchar(64)", "PRIMARY")

dump = run("mysqldump", UTF8, "--no-tablespaces", "CometQL_v1")
prints("query", "mysqldump: tables", dump, "CREATE TABLE `pipes_messages`", "INSERT INTO `pipes_messages`", "-- Dump completed")
inserted = [f"'{PIPE}',{index},'{event}',{literal(text)},0," for index, (event, text) in enumerate(rows)]
prints("query", "mysqldump: rows", dump, *inserted, f"('{PIPE}',1000,")
one = run("mysqldump", UTF8, "--no-tablespaces", "--skip-extended-insert", "--single-transaction", "CometQL_v1", "pipes_messages", f"--where=name='{PIPE}'")
same("query", "mysqldump: --where", one[1].count("INSERT INTO"), len(rows))
everything = ["--no-tablespaces", "--routines", "--events", "--triggers", "--all-databases"]
prints("query", "mysqldump: everything", run("mysqldump", UTF8, *everything), "USE `CometQL_v1`", *inserted)

query = f"--query=SELECT COUNT(*) FROM pipes_messages WHERE name='{PIPE}'"
slap = run("mysqlslap", "--create-schema=CometQL_v1", "--no-drop", query, "--concurrency=2", "--iterations=5")
prints("more", "mysqlslap", slap, "Benchmark", "Number of clients running queries: 2")
