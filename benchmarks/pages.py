"""Server time of every page on the demonstration's data, with history doubled, what it weighs, what it needs.

python benchmarks/pages.py [requests]        starts `temoin demo` twice, in folders of its own
"""

from __future__ import annotations

import gzip
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMOIN = Path(sys.executable).with_name("temoin")
SLUGS = ("tables-modulaires", "panneaux-acoustiques", "mange-debout", "afficheurs-co2", "tables-rondes")
PAGES = (
    "/",
    "/experiments",
    *(f"/experiments/{slug}" for slug in SLUGS),
    "/rooms",
    "/rooms/loire",
    "/rooms/loire?span=week",
    "/quarantine",
    "/method",
    "/api/v1/experiments/tables-modulaires/result",
    "/api/v1/experiments/tables-modulaires/panel.csv",
)
IMPORTS = (
    "fastapi",
    "sqlalchemy",
    "pandas",
    "duckdb",
    "scipy.special",
    "altair",
    "vl_convert",
    "paho.mqtt.client",
)
PATIENCE = 300  # seconds


@contextmanager
def demo(days: int) -> Iterator[tuple[subprocess.Popen[str], httpx.Client, float]]:
    """A demonstration that is ready: its process, a client signed in, the seconds it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [TEMOIN, "demo", "--port", str(port), "--data-dir", folder, "--days", str(days)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            lines = (line.strip() for line in process.stdout or ())
            link = next(line for line in lines if "/sign-in/" in line)
            next(line for line in lines if line.startswith("Ready"))
            took = time.monotonic() - began
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30
            ) as client:
                client.get(link).raise_for_status()
                yield process, client, took
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def form(client: httpx.Client) -> str:
    """The path of a room's form, as its QR code has it."""
    found = re.search(r'href="[^"]*(/r/loire[^"]*)"', client.get("/rooms/loire").text)
    return found[1] if found else "/r/loire"


def server_time(client: httpx.Client, path: str, requests: int) -> tuple[float, float]:
    """Milliseconds of the first request, and the median of the next ones."""
    times = []
    for _ in range(requests + 1):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    return times[0], statistics.median(times[1:])


def pss(pid: int) -> float:
    """Proportional share of memory of a process, MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    listed = [each for thread in threads for each in (thread / "children").read_text("ascii").split()]
    return [int(each) for each in listed]


def role(pid: int) -> str:
    """What a part of the demonstration is."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode()


def transferred(client: httpx.Client, path: str) -> tuple[int, int]:
    """Bytes of a page and of everything it asks for, as compressed by the server, and how many requests."""
    page = client.get(path)
    wanted = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
    sizes = [_size(client.get(each)) for each in wanted]
    return _size(page) + sum(sizes), 1 + len(sizes)


def _size(answer: httpx.Response) -> int:
    encoded = answer.headers.get("Content-Length")
    return int(encoded) if encoded else len(gzip.compress(answer.content))


def imports() -> None:
    """What each import costs by itself, beside an empty interpreter."""
    print(f"\n{'import':<20}{'s':>8}{'MB':>8}")
    code = (
        "import time,resource;b=time.perf_counter();{}\n"
        "print(time.perf_counter()-b,resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024)"
    )
    costs = {}
    for name in ("", *IMPORTS):
        line = code.format(f"import {name}" if name else "pass")
        done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
        costs[name] = [float(each) for each in done.stdout.split()]
    for name in IMPORTS:
        print(f"{name:<20}{costs[name][0]:>8.2f}{costs[name][1] - costs[''][1]:>8.0f}")


def main() -> None:
    """Measure and print."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with demo(84) as (process, client, took):
        print(f"ready after {took:.1f} s")
        usual = {path: server_time(client, path, requests) for path in (*PAGES, form(client))}
        parts = {"web": pss(process.pid)} | {role(pid): pss(pid) for pid in children(process.pid)}
        weights = {path: transferred(client, path) for path in (f"/experiments/{SLUGS[0]}", form(client))}
    with demo(168) as (process, client, took):
        print(f"ready after {took:.1f} s with twice the history")
        doubled = {path: server_time(client, path, requests) for path in (*PAGES, form(client))}
    print(f"\n{'page':<52}{'first ms':>9}{'ms':>7}{'doubled':>9}{'ratio':>7}")
    for (path, (first, warm)), (_, twice) in zip(usual.items(), doubled.values(), strict=True):
        print(f"{path.partition('?k=')[0]:<52}{first:>9.0f}{warm:>7.1f}{twice:>9.1f}{twice / warm:>7.2f}")
    print(f"{'median':<52}{'':>9}{statistics.median(warm for _, warm in usual.values()):>7.1f}")
    print(f"\n{'memory, PSS':<20}{'MB':>8}")
    for name, size in (*parts.items(), ("in all", sum(parts.values()))):
        print(f"{name:<20}{size:>8.0f}")
    print(f"\n{'first load':<36}{'kB':>8}{'requests':>10}")
    for path, (size, count) in weights.items():
        print(f"{path:<36}{size / 1000:>8.1f}{count:>10}")
    imports()


if __name__ == "__main__":
    main()
