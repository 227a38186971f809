"""The chat's backend in Python, with nothing but PyMySQL: the same as chat.php, for the same page.

    python3 chat.py [port]
"""

import base64
import hashlib
import hmac
import html
import json
import os
import sys
import time
import uuid
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pymysql

HERE = Path(__file__).resolve().parent
ROOMS = ["lobby", "kitchen", "garden"]
FILES = {
    "/chat.js": ("text/javascript", HERE / "page/chat.js"),
    "/chat.css": ("text/css", HERE / "page/chat.css"),
    "/style.css": ("text/css", HERE.parent / "style.css"),
}
REQUEST_BYTES_MAX = 10_000

# Where the node is: the variables that the node itself reads.
NODE = os.environ.get("COMETQL_WS_LISTEN") or "127.0.0.1:8087"
SQL_HOST, SQL_PORT = (os.environ.get("COMETQL_MYSQL_LISTEN") or "127.0.0.1:3307").split(":")
PASSWORD_FILE = os.environ.get("COMETQL_PASSWORD_FILE") or HERE.parent.parent / "cometql-data/password"
PASSWORD = os.environ.get("COMETQL_PASSWORD") or Path(PASSWORD_FILE).read_text().strip()

POLICY = (
    f"default-src 'none'; script-src 'self' {NODE}; style-src 'self'; img-src data:; "
    f"connect-src 'self' ws://{NODE} wss://{NODE}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signature(signed: str) -> str:
    """The secret is the password with the number of the tenant behind it, which is 0."""
    return base64url(hmac.digest(f"{PASSWORD}0".encode(), signed.encode(), "sha256"))


def token(claims: dict) -> str:
    """The node wants `user_id` and `exp`; what else there is, is ours."""
    signed = base64url(b'{"alg":"HS256","typ":"JWT"}') + "." + base64url(json.dumps(claims).encode())
    return f"{signed}.{signature(signed)}"


def claims_of(key: str) -> dict | None:
    """What a token of ours claims; None if it is none, or has expired."""
    signed, _, given = key.rpartition(".")
    if not hmac.compare_digest(signature(signed).encode(), given.encode()):
        return None
    payload = signed.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims if claims["exp"] > time.time() else None


def query(statement: str, *values) -> list[tuple]:
    db = pymysql.connect(host=SQL_HOST, port=int(SQL_PORT), user="root", password=PASSWORD, autocommit=True)
    with db, db.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


class Refusal(Exception):
    def __init__(self, status: int, reason: str):
        self.status, self.reason = status, reason


class Chat(BaseHTTPRequestHandler):
    def do_GET(self):
        self.route({"/": self.page, "/me": self.me}, self.file)

    def do_POST(self):
        self.route({"/login": self.log_in, "/logout": self.log_out, "/say": self.say, "/whisper": self.whisper}, self.nothing)

    def route(self, routes, otherwise):
        try:
            routes.get(self.path.partition("?")[0], otherwise)()
        except Refusal as refusal:
            self.answer(refusal.status, "text/plain", refusal.reason)

    def page(self):
        page = (HERE / "page/index.html").read_text().replace("{{node}}", html.escape(NODE))
        self.answer(200, "text/html", page, {"Content-Security-Policy": POLICY})

    def file(self):
        kind, file = FILES.get(self.path) or self.nothing()
        self.answer(200, kind, file.read_text())

    def nothing(self):
        raise Refusal(404, "There is nothing here")

    def me(self):
        self.answer_me(claims_of(self.key()), self.key())

    def answer_me(self, user, key, headers={}):
        about = user and {"user": user["user_id"], "name": user["name"], "key": key, "rooms": ROOMS}
        self.answer(200, "application/json", json.dumps(about), headers)

    def log_in(self):
        name = self.field("name", 4 * 20)
        # Here your site asks for a password, and looks up the number of the user: in this chat it follows from the name.
        number = int(hashlib.sha256(name.encode()).hexdigest()[:7], 16) + 1
        user = {"user_id": number, "name": name, "exp": int(time.time()) + 86400}
        query("INSERT INTO users_data (id, data) VALUES (%s, %s)", number, name)
        for room in ROOMS:
            # A room keeps its newest 50 messages. IGNORE leaves the setting once it is there.
            query("INSERT IGNORE INTO pipes_settings (name, length) VALUES (%s, 50)", f"private_room_{room}")
        key = token(user)
        # No script reads the cookie, and no page of another site sends it. Behind TLS add `; Secure`.
        self.answer_me(user, key, {"Set-Cookie": f"chat_key={key}; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"})

    def log_out(self):
        self.user()
        # The node sends every page away that has logged in with this token.
        query("INSERT INTO revoked_tokens (token) VALUES (%s)", self.key())
        self.answer(204, headers={"Set-Cookie": "chat_key=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"})

    def say(self):
        user, room, text = self.user(), self.field("room", 20), self.field("text", 4 * 500)
        if room not in ROOMS:
            raise Refusal(400, "There is no such room")
        message = json.dumps({"from": user["user_id"], "name": user["name"], "text": text})
        # The page has chosen the UUID: when it repeats the request, the message is there once.
        statement = "INSERT INTO pipes_messages (name, event, message, uuid) VALUES (%s, 'said', %s, %s)"
        query(statement, f"private_room_{room}", message, self.uuid())
        self.answer(204)

    def whisper(self):
        user, to, text = self.user(), self.field("to", 10), self.field("text", 4 * 500)
        known = query("SELECT data FROM users_data WHERE id = %s", int(to)) if to.isdecimal() else []
        if not known:
            raise Refusal(400, "There is nobody with this number")
        message = json.dumps({"from": user["user_id"], "name": user["name"], "to_name": known[0][0], "text": text})
        # Two rows, both or none: the other copy shows the sender, on every device, what has been sent.
        statement = "INSERT INTO users_messages (id, event, message) VALUES (%s, 'whisper', %s), (%s, 'whisper', %s)"
        query(statement, int(to), message, user["user_id"], message)
        self.answer(204)

    def key(self) -> str:
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("chat_key")
        return cookie.value if cookie else ""

    def user(self) -> dict:
        """Who sent this request: what the token in the cookie says."""
        user = claims_of(self.key())
        if user is None:
            raise Refusal(401, "Log in first")
        return user

    def sent(self) -> dict:
        """The JSON that a script has sent. A form on another site cannot send JSON."""
        if not hasattr(self, "body"):
            given = self.headers.get("Content-Length", "")
            length = int(given) if given.isdecimal() else REQUEST_BYTES_MAX + 1
            if self.headers.get("Content-Type") != "application/json" or length > REQUEST_BYTES_MAX:
                raise Refusal(415, "Send JSON, and not much of it")
            try:
                self.body = json.loads(self.rfile.read(length))
            except ValueError:
                self.body = None
        return self.body if isinstance(self.body, dict) else {}

    def field(self, name: str, bytes_max: int) -> str:
        value = self.sent().get(name)
        text = str(value).strip() if isinstance(value, (str, int)) else ""
        # What is no UTF-8 becomes ?.
        text = text.encode(errors="replace").decode()
        if not 1 <= len(text.encode()) <= bytes_max:
            raise Refusal(400, f"{name} must have 1 to {bytes_max} bytes")
        return text

    def uuid(self) -> str:
        try:
            return str(uuid.UUID(self.field("uuid", 36)))
        except ValueError:
            raise Refusal(400, "uuid must be a UUID") from None

    def answer(self, status: int, kind: str = "", text: str = "", headers={}):
        body = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        for name, value in {"Cache-Control": "no-store", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8000), Chat)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
