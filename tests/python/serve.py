"""Runs one of the servers that stand in for AWS on a loopback port, for as long as its standard input stays open.

    target/venvs/ministack/bin/python tests/python/serve.py ministack PORT
    target/venvs/moto/bin/python tests/python/serve.py moto PORT

Whoever starts it holds the other end of its standard input: when that process ends, however it ends, so does the
server with everything that it started. Nothing is left running after a panic or a kill.
"""

import os
import signal
import sys
import threading


def end_with_standard_input():
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


def ministack(port):
    # All three are read when the module is imported.
    os.environ.update(BIND_HOST="127.0.0.1", GATEWAY_PORT=port, MINISTACK_HOST="127.0.0.1", LOG_LEVEL="WARNING")
    from ministack.app import main

    sys.argv = ["ministack"]
    main()


def moto(port):
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", port])


if __name__ == "__main__":
    kind, port = sys.argv[1:]
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    {"ministack": ministack, "moto": moto}[kind](port)
