"""Places that machines share, for tests: a folder, memory, and an S3 that runs here."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from uuid import uuid4

import pytest

from benchmark.runner.places import Folder, ObjectStore
from tests.ports import free_port

KINDS = ("folder", "memory", "s3")
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@contextmanager
def s3_server(port=None):
    """The address of moto's server, which keeps everything in memory."""
    port = port or free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(address + "/moto-api/", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield address
    finally:
        server.kill()
        server.wait()


def new_bucket(address):
    """The name of an empty bucket."""
    name = f"bucket-{uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT"), timeout=10).close()
    return name


def s3_store(address, bucket):
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=address,
        access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region=KEYS["AWS_REGION"],
        client_options={"allow_http": True},
    )


@pytest.fixture(scope="session")
def s3():
    pytest.importorskip("moto")
    with s3_server() as address:
        yield address


@pytest.fixture(params=KINDS)
def place(request, tmp_path):
    """An empty place of every kind."""
    if request.param == "folder":
        return Folder(tmp_path / "shared")
    obstore = pytest.importorskip("obstore.store")
    if request.param == "memory":
        return ObjectStore(obstore.MemoryStore(), "memory")
    address = request.getfixturevalue("s3")
    return ObjectStore(s3_store(address, new_bucket(address)), "s3")
