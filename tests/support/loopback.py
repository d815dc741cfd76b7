"""A web server on this machine alone, whose answers a test decides."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Serve GET requests with *answer*; yield the address, without a slash at its end, and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            with contextlib.suppress(ConnectionError):  # the client may hang up; that is what some tests are about
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def content(body: bytes) -> Answer:
    """Answer every request with *body*."""
    return lambda request: send(request, body)


def files(bodies: dict[str, bytes]) -> Answer:
    """Answer with the body that is named by the path, or 404."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = bodies.get(request.path.lstrip("/"))
        send(request, body) if body is not None else request.send_error(404)

    return answer


def send(request: BaseHTTPRequestHandler, body: bytes, *, length: int | None = None, status: int = 200) -> None:
    """Send *body*, claiming that it is *length* bytes long."""
    request.send_response(status)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)
