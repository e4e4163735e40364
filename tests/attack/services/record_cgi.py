"""A CGI program (RFC 3875) that writes down every request: all of its environment."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))  # a CGI program starts with a bare environment

from tests.attack.services.noting import Note


def main() -> None:
    """Read the body, write the request down, answer with its request line."""
    method = os.environ["REQUEST_METHOD"]
    note = Note(method, os.environ["REQUEST_URI"], os.environ.items())
    length = int(os.environ.get("CONTENT_LENGTH") or 0)
    note.add(sys.stdin.buffer.read(length))
    body = note.end()
    head = b"Status: 200\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    sys.stdout.buffer.write(head + (b"" if method == "HEAD" else body))


if __name__ == "__main__":
    main()
