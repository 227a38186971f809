"""Django: a model of a table that it does not manage, atomic blocks, introspection, a connection that is kept."""

import django
import pymysql
from django.conf import settings

from duties import BATCH, EVENT, HOST, PASSWORD, PIPE, PORT, REFUSED, TEXT, kept_rows, refused, same

# Django asks for mysqlclient, whose place PyMySQL takes with its numbers.
pymysql.version_info = (2, 2, 7, "final", 0)
pymysql.install_as_MySQLdb()

NODE = {"ENGINE": "django.db.backends.mysql", "NAME": "CometQL_v1", "USER": "root", "HOST": HOST, "PORT": PORT}
WRONG = {**NODE, "PASSWORD": "wrong"}
settings.configure(DATABASES={"default": {**NODE, "PASSWORD": PASSWORD, "CONN_MAX_AGE": 60}, "wrong": WRONG})
django.setup()

from django.db import connection, connections, models, transaction  # noqa: E402  It wants its settings first.


class Message(models.Model):
    id = models.CharField(primary_key=True, max_length=36)
    name = models.CharField(max_length=64)
    event = models.CharField(max_length=64)
    message = models.TextField()

    class Meta:
        managed = False
        app_label = "push"
        db_table = "pipes_messages"


class Setting(models.Model):
    name = models.CharField(primary_key=True, max_length=64)
    length = models.IntegerField()

    class Meta:
        managed = False
        app_label = "push"
        db_table = "pipes_settings"


refused("a wrong password", 1045, connections["wrong"].ensure_connection)

with transaction.atomic():
    Message.objects.create(id="", name=PIPE, event=EVENT, message=TEXT)
mine = Message.objects.filter(name=PIPE).values_list("name", "event", "message")
same("publish", "it is kept", list(mine.all()), [(PIPE, EVENT, TEXT)])
Message.objects.bulk_create([Message(id="", name=PIPE, event="batch", message=text) for text in BATCH])
same("batch", "bulk_create", list(mine.all()), kept_rows())
same("query", "count", mine.count(), 1 + len(BATCH))
same("query", "exists", (mine.exists(), mine.filter(event="no").exists()), (True, False))
same("query", "iexact, in", mine.filter(event__iexact="batch", message__in=BATCH).count(), 3)
same("query", "startswith", [row[2] for row in mine.filter(message__startswith="t")], ["two", "three"])
same("query", "contains", mine.filter(message__contains="w").count(), 1)
same("query", "icontains", mine.filter(message__icontains="w").count(), 1)
same("query", "order_by and a slice", [row[2] for row in mine.filter(event="batch").order_by("-message")[:2]], ["two", "three"])
same("query", "exclude", mine.exclude(event="batch").count(), 1)
same("query", "get by key", Message.objects.get(pk=Message.objects.filter(name=PIPE).first().pk).message, TEXT)

Setting.objects.create(name=PIPE + "_dj", length=5)
same("more", "save", Setting.objects.filter(name=PIPE + "_dj").update(length=6), 1)
same("more", "get_or_create", Setting.objects.get_or_create(name=PIPE + "_dj", defaults={"length": 1})[0].length, 6)
same("more", "delete", Setting.objects.filter(name=PIPE + "_dj").delete()[0], 1)
with connection.cursor() as cursor:
    same("more", "table_names", "pipes_messages" in connection.introspection.table_names(cursor), True)
    described = connection.introspection.get_table_description(cursor, "pipes_messages")
    same("more", "get_table_description", {row.name for row in described} >= {"id", "name", "event", "message"}, True)
    cursor.execute("SELECT CONNECTION_ID()")
    first = cursor.fetchone()
    for what, (number, statement) in REFUSED.items():
        refused(what, number, lambda statement=statement: cursor.execute(statement))

same("reset", "it is usable", connection.is_usable(), True)
connection.close_if_unusable_or_obsolete()
with connection.cursor() as cursor:
    cursor.execute("SELECT CONNECTION_ID()")
    same("reset", "it is kept between requests", cursor.fetchone(), first)
same("more", "a message is deleted with its pipe", Message.objects.filter(name=PIPE).delete()[0] > 0, True)
