"""What the Python scripts share: where the node is, what is published, and how it is compared."""

import json
import pathlib
import sys

HOST, PORT, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3]

_LISTED = json.loads(pathlib.Path(__file__).with_name("payloads.json").read_text(encoding="utf-8"))
NAMES = [payload["name"] for payload in _LISTED]
PAYLOADS = [payload["text"] * payload.get("times", 1) for payload in _LISTED]

INSERT = "INSERT INTO pipes_messages (name, event, message) VALUES (%s, %s, %s)"
SELECT = "SELECT message FROM pipes_messages WHERE name = %s"


def check(style, kept, expected=PAYLOADS):
    """Prints a line a payload; ends the program when one is not what was published."""
    if len(kept) != len(expected):
        sys.exit(f"{style}: {len(expected)} were published, {len(kept)} are kept")
    for name, wanted, text in zip(NAMES, expected, kept):
        if text != wanted:
            sys.exit(f"{style}: {name}: {wanted[:200]!r} became {text[:200]!r}")
        print(f"ok {style}: {name}")
