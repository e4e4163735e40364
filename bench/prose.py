"""What docs/performance.md says besides its numbers. `{…}` is filled in by the report."""

HEAD = """# Performance

Written by `make bench`; edit `bench/` instead. Only ratios carry over to another machine. Rounds go
from proxy to proxy in turn, each is compared with nginx's plain proxy of the same round, and the
median of these ratios stands here. "By CPU" compares the CPU time of a request, user and system, of
all of a proxy's processes: it is less disturbed by whatever else the machine does.
"""

HOW = """## How it is measured

- Each proxy has one core for all its processes; {others}.
  Go's have `GOMAXPROCS=1`, nginx and haproxy one worker. Settings are the programs' defaults but
  for connections to the service: enough of them are kept alive.
- All get the same requests from the same wrk script, one thread: for each request a token is drawn
  out of {sessions}. oauth2-proxy gets its session's cookie besides.
- This gateway is `gateway serve` with every default on: a session required, {sessions} sessions
  each asked for once before, metrics, request ids, and an access log to a file. The peers are as
  their rows say: those without a check do less than this one.
- `auth_request` asks a stub on nginx's own core, aiohttp's low-level server with an HMAC check. It
  looks up no session, so it does less than a whole `/auth`.
- CPU time is utime and stime of `/proc`. Latencies are of h2load's log of every request, over
  HTTP/1.1; its clients start one after another, so that they do not send in bursts. Memory is what
  the process holds alone (USS).
"""

REPEAT = """## To repeat it

```sh
make bench                  # everything: about twenty minutes, with nothing else running
make bench QUICK=1          # a first ratio in a minute, printed only
make bench ONLY=sessions    # the section on sessions alone; with QUICK=1 little of it, printed only
```

wrk, h2load (of nghttp2), nginx, haproxy, Redis, Caddy and Go are taken from where they are
installed; what is missing is left out by name, but Redis, which the development tools bring along.
Go's peers are built once, into `bench/.cache`.
"""

IDLE = """Each has asked once and stays: {uss} KiB each of the process's own memory (USS), {rss} KiB
resident (RSS). The kernel's buffers are not counted.
"""

SOCKETS = """{sockets} sockets, each with one message of 64 bytes under way. Client and service are
Python too and share a core where there are but two, so the gateway waits for them. Its limit of
connections to one target is raised for this.
"""

NOT_FULL = """**nginx did not fill its core ({busy}): load and service were short of processor time,
so these throughput ratios are too high. Go by CPU time here.**
"""

WORKERS = """Small answers, 128 connections; nothing differs in a pair of rows but `workers`. Where
cores are shared with the load, wrk runs on both too, one thread on each: a core for each worker and
everything else beside them, as on a small machine. On one core two workers take turns, and each
finds the caches cold.

"""

HELD = """
"Held back" is the most that was between service and slow reader, with the kernel's buffers.
"""
