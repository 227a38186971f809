"""peewee: a model, insert_many, a transaction, a pool."""

import peewee
from playhouse.pool import PooledMySQLDatabase

from duties import BATCH, EVENT, HOST, PASSWORD, PIPE, PORT, REFUSED, TEXT, kept_rows, refused, same


def database(password):
    return PooledMySQLDatabase("CometQL_v1", host=HOST, port=PORT, user="root", password=password, max_connections=1)


refused("a wrong password", 1045, lambda: database("wrong").connect())
db = database(PASSWORD)


class Message(peewee.Model):
    id = peewee.CharField(primary_key=True)
    name = peewee.CharField()
    event = peewee.CharField()
    message = peewee.TextField()

    class Meta:
        database = db
        table_name = "pipes_messages"


db.connect()
Message.insert(name=PIPE, event=EVENT, message=TEXT).execute()
mine = Message.select(Message.name, Message.event, Message.message).where(Message.name == PIPE)
same("publish", "it is kept", list(mine.tuples()), [(PIPE, EVENT, TEXT)])
with db.atomic():
    Message.insert_many([{"name": PIPE, "event": "batch", "message": text} for text in BATCH]).execute()
same("batch", "three rows more, in a transaction", list(mine.tuples()), kept_rows())
same("query", "count", mine.count(), 1 + len(BATCH))
same("query", "exists", mine.exists(), True)
same("query", "a model", mine.order_by(Message.message.desc()).first().event in (EVENT, "batch"), True)
same("more", "get_tables", "pipes_messages" in db.get_tables(), True)
columns = {column.name for column in db.get_columns("pipes_messages")}
same("more", "get_columns", columns >= {"id", "name", "event", "message"}, True)
same("more", "get_primary_keys", db.get_primary_keys("pipes_settings"), ["name"])
first = db.execute_sql("SELECT CONNECTION_ID()").fetchone()
db.close()
db.connect()
same("reset", "the pool lends it again", db.execute_sql("SELECT CONNECTION_ID()").fetchone(), first)
for what, (number, statement) in REFUSED.items():
    refused(what, number, lambda statement=statement: db.execute_sql(statement))
db.close()
