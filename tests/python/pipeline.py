"""What stands around the git-merge Lambda: its runtime, GitHub, and CodePipeline, on one loopback port each.

    target/venvs/moto/bin/python tests/python/pipeline.py REPOSITORIES TOKEN

The first line on standard output names the ports: `{"runtime": …, "github": …, "codepipeline": …}`, and GitHub's
encrypted one, `"github_tls"`, whose certificate `REPOSITORIES/ca.pem` vouches for. `REPOSITORIES/app-key.pem` is the private
key of a GitHub App that is installed in all of them. Then every line of JSON on standard
input is one command, and one line answers it:

    {"invoke": EVENT, "seconds": 10}    a call of the function that may last so long; the answer is what the function
                                        said: {"response": …} or {"error": …}
    {"faults": [FAULT…]}                what GitHub does wrong from now on; see `pipeline_github.py`
    {"calls": true}                     the calls so far: {"github": […], "codepipeline": […]}

It ends when its standard input closes. It knows nothing of the program under test.
"""

import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pipeline_certificate
import pipeline_codepipeline
import pipeline_github
import pipeline_lambda


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.service = service
        if tls:
            # The handshake is the handler's thread's business: a client that refuses it must not stop the others.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        # Who is killed or runs out of time drops its connections; that is no news.
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Hands a request to the service: `answer(method, path, headers, body)` returns status, headers and body, or `None`
    for a connection that closes without an answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.service.answer(self.command, self.path, self.headers, body)
        if answer is None:
            self.close_connection = True
            return
        status, headers, content = answer
        content = b"" if content is None else json.dumps(content).encode()
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_):
        pass


def say(value):
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    repositories, token = sys.argv[1:]
    runtime = pipeline_lambda.Runtime()
    github = pipeline_github.GitHub(repositories, token, pipeline_certificate.app_key(repositories))
    codepipeline = pipeline_codepipeline.CodePipeline()
    servers = {"runtime": Server(runtime), "github": Server(github), "codepipeline": Server(codepipeline)}
    servers["github_tls"] = Server(github, pipeline_certificate.context(repositories))
    say({name: server.port for name, server in servers.items()})
    for line in sys.stdin:
        command = json.loads(line)
        if "invoke" in command:
            say(runtime.invoke(command["invoke"], command["seconds"]))
        elif "faults" in command:
            github.set_faults(command["faults"])
            say({})
        else:
            say({"github": github.calls, "codepipeline": codepipeline.calls})
