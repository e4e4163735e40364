"""The services behind: real servers, each with a small application that writes down what it got.

It must not know what is sent to them, nor through what.
"""

import sys
from dataclasses import replace
from pathlib import Path

from tests.attack.services.running import Program

HERE = Path(__file__).parent
_PYTHON = sys.executable
_FIELDS = "--limit-request-line 8190 --limit-request-fields 160 --limit-request-field_size 0"

GUNICORN = Program(
    name="gunicorn",
    needs=_PYTHON,
    command=(
        *(_PYTHON, "-m", "gunicorn", "--bind", "127.0.0.1:@PORT@", "--worker-class", "gthread"),
        *["--threads", "4", "--keep-alive", "60", "--no-control-socket"],
        *_FIELDS.split(),
        "tests.attack.services.wsgi:app",
    ),
    version=(_PYTHON, "-m", "gunicorn", "--version"),
)
GUNICORN_FOLDING = replace(GUNICORN, command=(*GUNICORN.command, "--header-map", "dangerous"))
"""By default it drops names with `_`; so it takes all and folds them."""
WAITRESS = Program(
    name="waitress",
    needs=_PYTHON,
    command=(
        *(_PYTHON, "-m", "waitress", "--listen=127.0.0.1:@PORT@", "--threads=4"),
        "tests.attack.services.wsgi:app",
    ),
    version=(_PYTHON, "-c", "import importlib.metadata as m; print(m.version('waitress'))"),
)
UVICORN = Program(
    name="uvicorn",
    needs=_PYTHON,
    command=(
        *(_PYTHON, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "@PORT@"),
        *("--no-access-log", "tests.attack.services.asgi:app"),
    ),
    version=(_PYTHON, "-m", "uvicorn", "--version"),
)
NODE = Program(
    name="Node",
    needs="node",
    command=("node", str(HERE / "node.js"), "@PORT@"),
    version=("node", "--version"),
)
PHP = Program(
    name="PHP",
    needs="php",
    command=("php", "-S", "127.0.0.1:@PORT@", str(HERE / "record.php")),
    version=("php", "-v"),
)
LIGHTTPD = Program(
    name="lighttpd, CGI",
    needs="lighttpd",
    command=("lighttpd", "-D", "-f", "@SETTINGS@"),
    version=("lighttpd", "-v"),
    settings=f"""
server.bind = "127.0.0.1"
server.port = @PORT@
server.document-root = "@FOLDER@"
server.errorlog = "@FOLDER@/error.log"
server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
alias.url = ("/" => "{HERE}/record_cgi.py/")
cgi.assign = (".py" => "{_PYTHON}")
setenv.add-environment = ("REQUESTS_LOG" => "@LOG@")
""",
)
FRAMING = (GUNICORN, WAITRESS, UVICORN, NODE)
"""Those whose reading of a request's end counts."""
FOLDING = (WAITRESS, GUNICORN_FOLDING, PHP, LIGHTTPD)
"""Those that fold the names of headers into variables: WSGI, PHP, CGI."""
