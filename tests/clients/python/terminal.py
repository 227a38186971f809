"""A program at a terminal: what is typed, and what it shows until it asks for more."""

import os
import pty
import select
import sys
import time

DEADLINE_SECONDS = 60


class Terminal:
    """The mariadb command at a terminal. Its prompt may be drawn more than once: what a line has shown is over when
    a sum behind it is."""

    def __init__(self, command, environment):
        self.sum = 7_000_000
        self.shown = b""
        self.process, self.screen = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, {**environment, "TERM": "dumb"})

    def typed(self, text):
        os.write(self.screen, text.encode())

    def until(self, mark):
        """All that is shown up to the mark, which is taken away."""
        end = time.monotonic() + DEADLINE_SECONDS
        while mark.encode() not in self.shown:
            ready, _, _ = select.select([self.screen], [], [], max(0, end - time.monotonic()))
            try:
                more = os.read(self.screen, 65536) if ready else b""
            except OSError:  # The program has ended.
                more = b""
            if not more:
                sys.exit(f"not ok: {mark!r} is not shown; this is: {self.shown.decode(errors='replace')}")
            self.shown += more
        before, self.shown = self.shown.split(mark.encode(), 1)
        return before.decode()

    def asked(self, line):
        """What is shown for a line, and something of its echo."""
        self.sum += 1
        self.typed(f"{line}\nSELECT {self.sum - 1} + 1;\n")
        return self.until(f" {self.sum} |")

    def completed(self, beginning, mark):
        """Waits until the tabulator has made the mark of a beginning; then the line is cancelled."""
        self.typed(beginning + "\t")
        self.until(mark)
        self.asked(" \\c")

    def left(self, line):
        """The exit code after a line that ends the program."""
        self.typed(line + "\n")
        while True:
            try:
                if not os.read(self.screen, 65536):
                    break
            except OSError:  # It has closed its end.
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
