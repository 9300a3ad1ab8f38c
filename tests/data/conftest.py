"""A small file server on this machine: it knows ranges, and it can misbehave."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    stop_after: int | None = None  # bytes of each answer, then the connection ends
    knows_ranges: bool = True
    says_length: bool = True
    answers_from: int | None = None  # a wrong place, whatever was asked


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        state: FileServer = self.server.state
        name, asked = self.path.lstrip("/"), self.headers.get("Range")
        state.requests.append((name, asked))
        if name not in state.files:
            self.send_error(404)
            return
        content = state.files[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if not state.knows_ranges:
            start = 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        first = start if state.answers_from is None else state.answers_from
        if start:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if state.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: state.stop_after])


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.state = FileServer(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd.state
    httpd.shutdown()
    thread.join()
    httpd.server_close()
