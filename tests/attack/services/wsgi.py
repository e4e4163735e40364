"""A WSGI application (PEP 3333) that writes down every request it thinks it got."""

from collections.abc import Callable, Iterable
from typing import Any

from tests.attack.services.noting import Note

Start = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """Read the body, write the request down, answer with its request line."""
    target = environ.get("RAW_URI") or environ["REQUEST_URI"]  # gunicorn's name, waitress's name
    names = [(name, value) for name, value in environ.items() if name.isupper() or "HTTP" in name]
    texts = [(name, value) for name, value in names if isinstance(value, str)]
    note = Note(environ["REQUEST_METHOD"], target, texts)
    try:
        while piece := environ["wsgi.input"].read(65536):
            note.add(piece)
    except Exception:  # whatever the server raises for a body that ends early
        note.end(is_whole=False)
        raise
    body = note.end(is_whole=_is_whole(environ, note))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _is_whole(environ: dict[str, Any], note: Note) -> bool:
    length = environ.get("CONTENT_LENGTH")
    return not length or int(length) == note.length_bytes
