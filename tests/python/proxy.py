"""A recording proxy in front of a server: one JSON line for every API call that passes.

    python3 tests/python/proxy.py UPSTREAM_PORT LOG [--seed N] [FAULT...]

Prints its own port, then serves for as long as its standard input stays open. It knows the wire formats of AWS's
public protocols and nothing of the program under test, so that a test can count calls, compare what two programs
send, and look for secrets where they don't belong. A line of the log has

    at        seconds since the epoch, when the call came in
    service   and `region`, `key` (the access key's id): from the signature
    action    the API's own name; for S3 worked out from method, path and query
    method, path, query
    status    of the answer that the client got; where it got none, of the server's; null where there wasn't any
    fault     the fault that hit the call, if one did
    form      the parameters of a call in the query protocol (CloudFormation, STS, EC2)
    bytes     size of the body that the client sent, without chunk signatures

A FAULT makes some calls fail before or after they take effect, for what the servers never do by themselves (deny,
throttle, lose an answer): `faults.py` says how it is written. For example, `CreateStack@eu-west-1=403:AccessDenied`, or
`DescribeStackEvents=throttle*3`: the first three such calls are throttled.
"""

import argparse
import http.client
import http.server
import json
import os
import re
import select
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from faults import Faults

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect", "proxy-connection"}

# Subresources of S3 that change what a method means: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
BUCKET_SUBRESOURCES = {
    "location": "BucketLocation",
    "tagging": "BucketTagging",
    "policy": "BucketPolicy",
    "acl": "BucketAcl",
    "publicAccessBlock": "PublicAccessBlock",
    "ownershipControls": "BucketOwnershipControls",
    "versioning": "BucketVersioning",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
}
OBJECT_SUBRESOURCES = {"tagging": "ObjectTagging", "acl": "ObjectAcl", "attributes": "ObjectAttributes"}
VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Post", "HEAD": "Head"}


def s3_action(method, path, query):
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    if not key:
        for name, subresource in BUCKET_SUBRESOURCES.items():
            if name in query:
                return VERBS[method] + subresource
        if "delete" in query:
            return "DeleteObjects"
        if "versions" in query:
            return "ListObjectVersions"
        if "uploads" in query:
            return "ListMultipartUploads"
        if method == "GET":
            return "ListObjectsV2" if "list-type" in query else "ListObjects"
        return {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}.get(method, method)
    for name, subresource in OBJECT_SUBRESOURCES.items():
        if name in query:
            return VERBS[method] + subresource
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "uploadId" in query:
        return {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}.get(
            method, "ListParts"
        )
    return VERBS[method] + "Object"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # The answer leaves in one piece, or a delayed acknowledgement costs 40 ms a call.
    wbufsize = -1
    upstream = None

    def handle_any(self):
        body = self.read_body()
        call = self.describe(body)
        faults = self.server.faults
        fault = faults.of(call)
        call["status"] = None
        if fault:
            call["fault"] = fault.text
        if hidden := faults.not_yet_visible(call):
            answer = self.error(call, *hidden)
        elif fault and not fault.after and not fault.delay:
            answer = self.refuse(call, fault)
        else:
            answer = self.forward(body)
            call["status"] = answer[0]
            if answer[0] < 300:
                faults.created(call)
            if fault and fault.after:
                answer = self.refuse(call, fault)
        self.server.record(call)
        if fault and fault.delay:
            time.sleep(fault.delay)
        if answer is None:
            self.give_no_answer(fault)
        else:
            self.answer(*answer)

    def refuse(self, call, fault):
        """The answer of a fault; `None` where there isn't any."""
        error = fault.error(call["service"])
        return error and self.error(call, *error)

    def error(self, call, status, body):
        call["status"] = status
        kind = "application/x-amz-json-1.1" if body.startswith("{") else "text/xml"
        return status, [("Content-Type", kind)], body.encode()

    def give_no_answer(self, fault):
        deadline = time.monotonic() + (300 if fault.what == "hang" else 0)
        # A closed connection is readable and holds nothing.
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], left)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
            time.sleep(0.05)
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP and (name.lower() != "content-length" or self.command == "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD" and status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def handle_expect_100(self):
        # The client waits a second for this before it sends the body.
        self.send_response_only(http.HTTPStatus.CONTINUE)
        self.end_headers()
        self.wfile.flush()
        return True

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def describe(self, body):
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        scope = re.search(r"Credential=([^,\s]+)", self.headers.get("Authorization", ""))
        scope = unquote(scope[1] if scope else query.get("X-Amz-Credential", [""])[0]).split("/")
        region, service = (scope[-3], scope[-2]) if len(scope) >= 5 else (None, None)
        call = {"at": time.time(), "service": service, "region": region, "key": scope[0]}
        call |= {"method": self.command, "path": url.path}
        call["query"] = url.query
        call["bytes"] = int(self.headers.get("x-amz-decoded-content-length") or len(body))
        if target := self.headers.get("X-Amz-Target"):
            call["action"] = target.rpartition(".")[2]
        elif service == "s3":
            call["action"] = s3_action(self.command, url.path, query)
        elif (self.headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded"):
            call["form"] = dict(parse_qsl(body.decode(), keep_blank_values=True))
            call["action"] = call["form"].get("Action")
        else:
            call["action"] = None
        return call

    def forward(self, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers["Content-Length"] = str(len(body))
        for attempt in range(2):
            if self.upstream is None:
                self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=120)
            try:
                self.upstream.request(self.command, self.path, body, headers)
                answer = self.upstream.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (http.client.HTTPException, ConnectionError):
                # The server may have closed a connection that lay idle; a new one tells whether it is gone.
                self.upstream.close()
                self.upstream = None
                if attempt:
                    raise

    def log_message(self, *_):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream_port, log, faults):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream_port = upstream_port
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.lock = threading.Lock()
        self.faults = faults

    def record(self, call):
        with self.lock:
            self.log.write(json.dumps(call) + "\n")

    def handle_error(self, request, client_address):
        # A client that was interrupted drops its connections; that is no news.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def end_with_standard_input():
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("upstream_port", type=int)
    arguments.add_argument("log")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("faults", nargs="*")
    given = arguments.parse_intermixed_args()
    proxy = Proxy(given.upstream_port, given.log, Faults(given.faults, given.seed))
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    print(proxy.server_address[1], flush=True)
    proxy.serve_forever()
