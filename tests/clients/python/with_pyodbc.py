"""ODBC, through unixodbc and MariaDB's driver: prepared, batches, a transaction, the catalogue; and isql."""

import glob
import subprocess

import pyodbc

from duties import HOST, PASSWORD, PIPE, PORT, kept_rows, of_dbapi, one, same

DRIVER = glob.glob("/usr/lib/*/odbc/libmaodbc.so")[0]


def source(password):
    return f"Driver={DRIVER};Server={HOST};Port={PORT};Uid=root;Pwd={password};Database=CometQL_v1;charset=utf8mb4"


def number_of(error):
    """pyodbc has the number at the end of its text: `… (12) (SQLExecDirectW)`."""
    return int(error.args[1].rsplit("(", 2)[1].split(")")[0])


db = of_dbapi(lambda password: pyodbc.connect(source(password)), number_of, marks="?")
db.rollback()
with db.cursor() as cursor:
    same("more", "tables", "pipes" in [row.table_name for row in cursor.tables(table="pipes%")], True)
db.close()

# unixodbc keeps what is closed, and gives it out again.
with pyodbc.connect(source(PASSWORD), autocommit=True) as db:
    same("reset", "a connection after one that was closed", one(db, "SELECT 1"), 1)

said = subprocess.run(["isql", "-b", "-k", "-x|", source(PASSWORD)], input="SELECT 4000 + 711\n", capture_output=True, text=True)
same("more", "isql", "4711" in said.stdout, True)
