"""Runs a program on a terminal as a shell would, does things at that terminal, and prints as JSON what came of it.

    terminal.py ROWSxCOLUMNS PROGRAM [ARGUMENT…] -- ACTION…

Actions, one after the other:

    wait=TEXT    until the program has written TEXT since the last action that waited
    type=TEXT    on the keyboard; `^C` and the like are keys too
    size=ROWSxCOLUMNS
    signal=NAME  to the program
    raw          remembers whether the terminal gives each key at once and shows none

Printed are the program's `code` (or the negative signal that ended it), all of its `output`, `raw` of the actions of that
name, `stopped`: for each time that the program was stopped, whether the terminal's settings were as before, then and half a
second later, while it went on in the background; after that it is in the foreground again; and `after`: the same at the end.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE = time.monotonic() + 60


def resize(fd, size):
    rows, columns = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def lead(command, tell):
    """The shell: runs the command in the foreground, and lets it go on if it is stopped."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    before = termios.tcgetattr(0)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execvp(command[0], command)
    os.write(tell, f"{child}\n".encode())
    stopped = []
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        stopped.append(termios.tcgetattr(0) == before)
        os.tcsetpgrp(0, os.getpid())
        os.kill(child, signal.SIGCONT)
        time.sleep(0.5)
        stopped.append(termios.tcgetattr(0) == before)
        os.tcsetpgrp(0, child)
    after = termios.tcgetattr(0) == before
    end = {"code": os.waitstatus_to_exitcode(status), "stopped": stopped, "after": after}
    os.write(tell, json.dumps(end).encode())
    os._exit(0)


class Terminal:
    def __init__(self, size, command):
        told, tell = os.pipe()
        leader, self.screen = pty.fork()
        if leader == 0:
            resize(0, size)
            lead(command, tell)
        os.close(tell)
        self.told = os.fdopen(told)
        self.child = int(self.told.readline())
        self.output = b""
        self.seen = 0
        self.raw = []

    def read(self):
        """What has been written; false at the end."""
        if time.monotonic() > DEADLINE:
            os.kill(self.child, signal.SIGKILL)
            sys.exit(f"too slow: {self.output.decode(errors='replace')}")
        ready, _, _ = select.select([self.screen], [], [], 0.1)
        try:
            data = os.read(self.screen, 65536) if ready else b""
        except OSError:
            return False
        self.output += data
        return bool(data) or not ready

    def do(self, action):
        name, _, value = action.partition("=")
        if name == "wait":
            while (at := self.output.find(value.encode(), self.seen)) < 0:
                if not self.read():
                    sys.exit(f"ended before {value!r}: {self.output.decode(errors='replace')}")
            self.seen = at + len(value)
        elif name == "type":
            keys = chr(ord(value[1]) & 0x1F) if value.startswith("^") else value
            os.write(self.screen, keys.encode())
        elif name == "size":
            resize(self.screen, value)
        elif name == "signal":
            os.kill(self.child, getattr(signal, "SIG" + value))
        elif name == "raw":
            local = termios.tcgetattr(self.screen)[3]
            self.raw.append(local & (termios.ICANON | termios.ECHO) == 0 and local & termios.ISIG != 0)
        else:
            sys.exit(f"no action {action!r}")

    def end(self):
        while self.read():
            pass
        end = json.loads(self.told.read())
        return end | {"raw": self.raw, "output": self.output.decode(errors="replace")}


if __name__ == "__main__":
    split = sys.argv.index("--")
    terminal = Terminal(sys.argv[1], sys.argv[2:split])
    for action in sys.argv[split + 1 :]:
        terminal.do(action)
    print(json.dumps(terminal.end()))
