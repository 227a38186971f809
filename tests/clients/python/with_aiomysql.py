"""aiomysql and asyncmy, which have one interface: a pool, a transaction, an unbuffered cursor.

    python with_aiomysql.py <host> <port> <password> <pipe> aiomysql|asyncmy
"""

import asyncio
import importlib
import sys

from duties import BATCH, EVENT, HOST, INSERT, PASSWORD, PIPE, PORT, REFUSED, SELECT, TEXT, kept_rows, refused, same

library = importlib.import_module(sys.argv[5])
cursors = importlib.import_module(sys.argv[5] + ".cursors")


async def refusal(call):
    """What is raised, for `refused`, which cannot wait."""
    try:
        await call
    except Exception as error:  # Each library has its own.
        return error
    return None


def throw(error):
    if error:
        raise error


async def main():
    options = {"host": HOST, "port": PORT, "user": "root", "db": "CometQL_v1"}
    error = await refusal(library.connect(password="wrong", **options))
    refused("a wrong password", 1045, lambda: throw(error))
    pool = await library.create_pool(minsize=1, maxsize=1, password=PASSWORD, **options)
    async with pool.acquire() as db, db.cursor() as cursor:
        same("publish", "one row is affected", await cursor.execute(INSERT, (PIPE, EVENT, TEXT)), 1)
        await db.commit()
        await cursor.execute(SELECT, (PIPE,))
        same("query", "the row is read as it was written", list(await cursor.fetchall()), [(PIPE, EVENT, TEXT)])
        await db.begin()
        await cursor.executemany(INSERT, [(PIPE, "batch", text) for text in BATCH])
        await db.commit()
    async with pool.acquire() as db, db.cursor(cursors.SSCursor) as cursor:
        await cursor.execute(SELECT, (PIPE,))
        same("batch", "three rows more", [row for row in await cursor.fetchall()], kept_rows())
    async with pool.acquire() as db, db.cursor() as cursor:
        await db.ping()
        await cursor.execute("SELECT 1")
        same("reset", "the pool lends it again", list(await cursor.fetchall()), [(1,)])
        for what, (number, statement) in REFUSED.items():
            error = await refusal(cursor.execute(statement))
            refused(what, number, lambda error=error: throw(error))
    pool.close()
    await pool.wait_closed()


asyncio.run(main())
