"""Kills what can be killed while a task runs on two nodes of Ray over an object store, and compares the records.

    python -m scripts.scale.kills --kills 30 --workdir /tmp/kills

Actors, a node, the driver and the store's address are killed at random moments, in turn; the store is slow, or fails
one request in ten. The object store is moto's server behind a proxy, which is what is killed and started again: what
was stored stays. After every kill of the driver the same command is given again. At the end the records must be those
of a run in one process without any of this, and no artefact may have been written after it was complete.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from benchmark.runner.reproduce import compare
from scripts.scale.users import RUN, TASK, write_data

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}
MOST_STARTS = 40
BUCKET = "rebeca"


class Proxy:
    """An address of the object store that can be slow, fail, and be killed; notes which manifests were created.

    Args:
        port: Where it listens.
        behind: Port of the object store.
        rng: Decides which requests fail.
    """

    def __init__(self, port: int, behind: int, rng: random.Random) -> None:
        self.port, self._behind, self._rng = port, behind, rng
        self.delay, self.failing = 0.0, 0.0
        self.created: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                proxy.answer(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        time.sleep(self.delay)
        if self._rng.random() < self.failing:
            request.send_response(503)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=60)
        upstream.request(request.command, request.path, body, dict(request.headers))
        answer = upstream.getresponse()
        data = answer.read()
        self._note(request.command, request.path.partition("?")[0], answer.status)
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                request.send_header(name, value)
        length = answer.getheader("Content-Length") if request.command == "HEAD" else str(len(data))
        request.send_header("Content-Length", length or "0")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    def _note(self, command: str, path: str, status: int) -> None:
        """Counts manifests that were created, and archives that were written although their manifest was there."""
        if command != "PUT" or status != 200 or "/leases/" in path or "/frozen/" in path:
            return
        folder, _, name = path.rpartition("/")
        if name == "artefact.json":
            self.created[folder] += 1
        elif self.created[folder]:
            self.late[folder] += 1


def processes_named(text: str) -> list[int]:
    """Processes of this machine whose command line holds a text."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                pids.append(int(entry.name))
    return pids


class Run:
    """The command that is killed and given again until it ends by itself."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._command, self._environment, self._log = command, environment, log.open("ab")
        self.starts = 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        return subprocess.Popen(self._command, env=self._environment, stdout=self._log, stderr=self._log)

    def over(self) -> bool:
        """Whether it ended well; where it ended otherwise, it is given again."""
        code = self.process.poll()
        if code not in (None, 0):
            if self.starts > MOST_STARTS:
                raise RuntimeError(f"started {self.starts} times; see the log")
            self.process = self._start()
        return code == 0


@click.command()
@click.option("--kills", default=30, show_default=True)
@click.option("--users", default=384, show_default=True)
@click.option("--every", default=6.0, show_default=True, help="Seconds between kills.")
@click.option("--seed", default=1, show_default=True)
@click.option("--workdir", type=click.Path(path_type=Path), required=True, help="An empty folder.")
def main(kills: int, users: int, every: float, seed: int, workdir: Path) -> None:
    """Kill at random moments and compare the records."""
    from ray.cluster_utils import Cluster

    rng = random.Random(seed)
    write_data(workdir / "data", users, 300, 24, seed=1)
    (workdir / "task.yaml").write_text(TASK.replace("images: 2", "images: 6\nfits: 3"))
    common = [sys.executable, "-c", RUN, "run", str(workdir / "task.yaml")]
    plain = os.environ | {"REBECA_PROCESSES": "1"}
    subprocess.run([*common, "--workdir", str(workdir / "plain"), "--quiet"], check=True, env=plain)
    moto = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "5999"], stderr=subprocess.DEVNULL)
    time.sleep(8)
    proxy = Proxy(5998, 5999, rng)
    proxy.start()
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:5998/{BUCKET}", method="PUT")).close()
    os.environ |= KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}", "RAY_USAGE_STATS_ENABLED": "0"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes = [cluster.add_node(num_cpus=1)]
    store = ["--store", f"s3://{BUCKET}", "--workdir", str(workdir / "killed")]
    executor = ["--executor", "ray", "--address", cluster.address, "--actors", "2"]
    run = Run([*common, *store, *executor], os.environ | {"REBECA_PROCESSES": "1"}, workdir / "log")

    def actor() -> None:
        if pids := processes_named("ray::Actor"):
            os.kill(rng.choice(pids), signal.SIGKILL)

    def node() -> None:
        cluster.remove_node(nodes.pop(), allow_graceful=False)
        nodes.append(cluster.add_node(num_cpus=1))

    def driver() -> None:
        run.process.kill()
        run.process.wait()

    def restart_store() -> None:
        proxy.stop()
        time.sleep(2)
        proxy.start()

    actions: list[Callable[[], None]] = [actor, driver, restart_store, actor, node]
    done: Counter[str] = Counter()
    for number in range(kills):
        time.sleep(rng.uniform(0.5, 1.5) * every)
        proxy.delay, proxy.failing = [(0.0, 0.0), (0.3, 0.0), (0.0, 0.1)][number % 3]
        if run.over():
            break
        action = actions[number % len(actions)]
        action()
        done[action.__name__] += 1
    proxy.delay = 0.0
    while not run.over():
        time.sleep(1)
    cluster.shutdown()  # type: ignore[no-untyped-call]
    moto.kill()
    records = [workdir / name / "records" / "many-users" / "v1" for name in ("plain", "killed")]
    result = {
        "kills": dict(done),
        "starts of the driver": run.starts,
        "artefacts": len(proxy.created),
        "created twice": sum(count > 1 for count in proxy.created.values()),
        "written after they were complete": sum(proxy.late.values()),
        "records equal": not compare(*records).bytes,
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
