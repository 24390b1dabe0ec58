"""`models pull` against a hub of our own on this machine, which can be slow, broken and dishonest."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from models import ModelDamaged, ModelError, ModelMissing
from models.catalog import Catalog, CatalogModel, Hub
from models.store import Store

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "fedcba9876543210fedcba9876543210fedcba98"
WEIGHTS = bytes(range(256)) * 40_000


class OwnHub(ThreadingHTTPServer):
    """What huggingface_hub asks of a hub: model info with LFS sha256, HEAD on resolve, GET of a range of a blob."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.head = COMMIT
        self.offered = WEIGHTS
        """What the model info says the file is."""
        self.served = WEIGHTS
        """What is really sent."""
        self.cut_after: int | None = None
        """The connection breaks once after so many bytes, and then the hub is down."""
        self.sent = 0
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OwnHub

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        path = self.path.partition("?")[0]
        if path == "/api/models/clinic/small" or path.startswith("/api/models/clinic/small/revision/"):
            self._info(path)
        elif path == "/blobs/small":
            self._blob()
        else:
            self._nothing()

    def do_HEAD(self) -> None:
        self.server.asked.append(f"HEAD {self.path}")
        _, _, resolve, revision, name = self.path[1:].split("/", 4)
        if (resolve, name) != ("resolve", "small.gguf") or revision not in (COMMIT, LATER):
            self._nothing()
            return
        self.send_response(302)
        # Another host name, as with a real hub, whose large files lie elsewhere.
        self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/blobs/small")
        self.send_header("X-Repo-Commit", revision)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(self.server.offered).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(self.server.offered)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _info(self, path: str) -> None:
        offered = self.server.offered
        lfs = {"sha256": hashlib.sha256(offered).hexdigest(), "size": len(offered), "pointerSize": 133}
        files = [{"rfilename": "README.md"}, {"rfilename": "small.gguf", "size": len(offered), "lfs": lfs}]
        sha = path.rpartition("/")[2] if "/revision/" in path else self.server.head
        self._send(200, json.dumps({"id": "clinic/small", "sha": sha, "siblings": files}).encode())

    def _blob(self) -> None:
        if self.server.cut_after == 0:
            self._send(503, b"down")
            return
        served = self.server.served
        start = int((self.headers["Range"] or "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(served) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(served) - 1}/{len(served)}")
        self.end_headers()
        part = served[start:][: self.server.cut_after]
        self.server.sent += len(part)
        self.wfile.write(part)
        if self.server.cut_after:
            self.server.cut_after = 0
            self.close_connection = True

    def _nothing(self) -> None:
        self._send(404, b'{"error": "Entry not found"}')

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnHub]:
    import huggingface_hub.constants

    # The library reads its environment once, when it is first imported; the rest of the suite runs it offline.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1_000_000)  # what it keeps of a broken one
    server = OwnHub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(hub: OwnHub, tmp_path: Path) -> Store:
    small = CatalogModel(
        name="small",
        title="Small",
        kind="chat",
        engine="llama",
        sets=("standard",),
        languages=("en",),
        licence="MIT",
        note="",
        source=Hub(repository="clinic/small", path="small.gguf"),
    )
    return Store(tmp_path / "models", catalog=Catalog((small,)), endpoint=hub.address)


def test_pull_fetches_checks_and_pins(hub, store):
    told: list[tuple[str, int, int]] = []
    assert store.pull("standard", progress=lambda _name, *what: told.append(what)) == ["small"]
    assert store.verify("small").read_bytes() == WEIGHTS
    lock = json.loads((store.directory / "models.lock").read_bytes())["small"]
    assert lock["revision"] == COMMIT
    assert lock["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert ("fetching", len(WEIGHTS), len(WEIGHTS)) in told
    assert f"HEAD /clinic/small/resolve/{COMMIT}/small.gguf" in hub.asked
    assert sorted(file.name for file in store.directory.iterdir()) == ["models.lock", "small.gguf"]


def test_a_second_pull_fetches_nothing(hub, store):
    store.pull()
    hub.asked.clear()
    store.pull()
    assert not [asked for asked in hub.asked if "/blobs/" in asked]


def test_an_interrupted_pull_goes_on_where_it_stopped(hub, store):
    hub.cut_after = 3_000_000
    with pytest.raises(ModelError, match="try again"):
        store.pull()
    assert not store.installed("small")
    hub.cut_after = None
    store.pull()
    assert store.verify("small").read_bytes() == WEIGHTS
    assert hub.sent < len(WEIGHTS) * 1.1


def test_other_bytes_than_promised_are_refused_and_removed(hub, store):
    hub.served = WEIGHTS[:-1] + b"!"
    with pytest.raises(ModelDamaged, match="removed"):
        store.pull()
    assert not store.installed("small")
    assert not (store.directory / "models.lock").exists()
    hub.served = WEIGHTS
    store.pull()
    assert store.verify("small").read_bytes() == WEIGHTS


def test_a_new_version_on_the_hub_does_not_replace_the_pinned_one(hub, store):
    store.pull()
    hub.head = LATER
    store.path("small").unlink()
    store.pull()
    assert json.loads((store.directory / "models.lock").read_bytes())["small"]["revision"] == COMMIT


def test_a_hub_that_offers_another_file_at_the_pinned_revision_is_refused(hub, store):
    store.pull()
    store.path("small").unlink()
    hub.offered = hub.served = WEIGHTS + b"more"
    with pytest.raises(ModelDamaged, match="refused"):
        store.pull()
    assert not store.installed("small")


def test_a_file_that_the_repository_does_not_have_is_named(hub, store):
    gone = Hub(repository="clinic/small", path="gone.gguf")
    other = msgspec.structs.replace(store.catalog.models[0], source=gone)
    with pytest.raises(ModelMissing, match=r"gone\.gguf"):
        Store(store.directory, catalog=Catalog((other,)), endpoint=hub.address).pull()


def test_a_hub_out_of_reach_says_where_it_looked(hub, store):
    away = Store(store.directory, catalog=store.catalog, endpoint="http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"HF_ENDPOINT.*firewall"):
        away.pull()
