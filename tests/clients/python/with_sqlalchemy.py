"""SQLAlchemy: core, the mapper, reflection, savepoints, a pool that pings first."""

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from duties import BATCH, EVENT, HOST, PASSWORD, PIPE, PORT, REFUSED, TEXT, kept_rows, ok, refused, same


def engine(password):
    url = sa.URL.create("mysql+pymysql", "root", password, HOST, PORT, "CometQL_v1")
    return sa.create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=0)


def number_of(error):
    return error.orig.args[0]


refused("a wrong password", 1045, lambda: engine("wrong").connect(), number_of)
db = engine(PASSWORD)

columns = {column["name"] for column in sa.inspect(db).get_columns("pipes_messages")}
same("more", "an inspector finds the columns", columns >= {"id", "name", "event", "message"}, True)
same("more", "an inspector finds the tables", "pipes_messages" in sa.inspect(db).get_table_names(), True)
same("more", "has_table", (sa.inspect(db).has_table("pipes"), sa.inspect(db).has_table("nowhere")), (True, False))
messages = sa.Table("pipes_messages", sa.MetaData(), autoload_with=db)
ok("more", "a table is reflected")

with db.begin() as connection:
    done = connection.execute(sa.insert(messages).values(name=PIPE, event=EVENT, message=TEXT))
    same("publish", "one row is affected", done.rowcount, 1)

rows = sa.select(messages.c.name, messages.c.event, messages.c.message).where(messages.c.name == PIPE)
with db.connect() as connection:
    same("query", "core", [tuple(row) for row in connection.execute(rows)], [(PIPE, EVENT, TEXT)])

with db.begin() as connection, connection.begin_nested():
    connection.execute(sa.insert(messages), [{"name": PIPE, "event": "batch", "message": text} for text in BATCH])
with db.connect() as connection:
    same("batch", "three rows more, in a savepoint", [tuple(row) for row in connection.execute(rows)], kept_rows())
    counted = sa.select(sa.func.count()).select_from(messages).where(messages.c.name == PIPE)
    same("query", "count", connection.scalar(counted), 1 + len(BATCH))
    some = rows.where(messages.c.event.in_(["batch"])).order_by(messages.c.message.desc()).limit(2)
    same("query", "IN, ORDER BY, LIMIT", [row.message for row in connection.execute(some)], ["two", "three"])


class Base(DeclarativeBase):
    pass


class Setting(Base):
    __tablename__ = "pipes_settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[int]


with Session(db) as session:
    session.add(Setting(name=PIPE + "_orm", length=5))
    session.commit()
    setting = session.scalars(sa.select(Setting).where(Setting.name == PIPE + "_orm")).one()
    same("more", "the mapper writes and reads", setting.length, 5)
    session.delete(setting)
    session.commit()

with db.connect() as connection:
    first = connection.scalar(sa.text("SELECT CONNECTION_ID()"))
with db.connect() as connection:
    same("reset", "the pool lends it again", connection.scalar(sa.text("SELECT CONNECTION_ID()")), first)

with db.connect() as connection:
    for what, (number, statement) in REFUSED.items():
        refused(what, number, lambda statement=statement: connection.execute(sa.text(statement)), number_of)
