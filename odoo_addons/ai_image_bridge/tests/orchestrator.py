"""A small orchestrator on a real socket: it answers what a test has asked it to, and remembers what came."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Received(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    headers: object
    body: dict | None


class FakeOrchestrator:
    """Answers are (status, body, headers); a list is used up from the front, its last one stays."""

    def __init__(self):
        self.received = []
        self.answers = {}
        self.on_webhook = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method, prefix, *answers):
        """Answer requests whose path begins so."""
        self.answers[method, prefix] = list(answers)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def webhooks(self):
        """The generation requests that came."""
        return [one for one in self.received if one.path.startswith("/webhook/")]

    def next_answer(self, method, path):
        known = [prefix for known_method, prefix in self.answers if known_method == method and path.startswith(prefix)]
        if not known:
            return (
                (200, {"message": "Workflow was started"}) if method == "POST" else (404, {"message": "no such page"})
            )
        answers = self.answers[method, max(known, key=len)]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _handler(fake):
    class Handler(BaseHTTPRequestHandler):
        def _serve(self):
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            fake.received.append(
                Received(self.command, self.path, self.headers, json.loads(content) if content else None)
            )
            if fake.on_webhook and self.path.startswith("/webhook/"):
                fake.on_webhook()
            status, body, *headers = fake.next_answer(self.command, self.path)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve

        def log_message(self, *_args):
            """Tests read what was received, not a log."""

    return Handler
