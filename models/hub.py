"""Fetches files from a Hugging Face hub or a mirror of one. Knows nothing of what is in them.

The only importer of huggingface_hub. Nothing but this module reaches the internet, and only when an operator runs
``medinovai models pull``.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from models import ModelError, ModelMissing
from models.catalog import Hub

HUB = "https://huggingface.co"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub says of a file before it is fetched."""

    revision: str
    """The commit that a branch name stands for now."""
    sha256: str
    bytes: int


def offer(endpoint: str, source: Hub, *, revision: str | None) -> Offer:
    """At a pinned revision, or at the newest one."""
    with _errors(endpoint, source):
        info = _library().HfApi(endpoint=endpoint).model_info(source.repository, revision=revision, files_metadata=True)
    file = next((file for file in info.siblings or [] if file.rfilename == source.path), None)
    if file is None or file.lfs is None or info.sha is None:
        raise ModelMissing(f"{source.repository} on {endpoint} has no file {source.path} with an LFS sha256")
    return Offer(revision=info.sha, sha256=file.lfs.sha256, bytes=file.lfs.size)


def fetch(
    endpoint: str, source: Hub, revision: str, *, into: Path, size: int, watch: Callable[[int, int], None]
) -> None:
    """Add to ``into`` what is still missing of the file; not checked. After an error call it again to go on."""
    library = _library()
    token = library.get_token()
    with _errors(endpoint, source), into.open("ab") as part:
        url = library.hf_hub_url(source.repository, source.path, revision=revision, endpoint=endpoint)
        location = library.get_hf_file_metadata(url, token=token, endpoint=endpoint).location
        # Large files lie on other hosts, which must not see the token; a mirror may serve them itself and ask for it.
        same_host = urlsplit(location).netloc == urlsplit(endpoint).netloc
        headers = library.utils.build_hf_headers(token=token if same_host else False)
        if part.tell() > size:
            part.truncate(0)
        # hf_hub_download throws away what it has when it fails; its inner function takes a file that has a beginning.
        library.file_download.http_get(
            location, part, resume_size=part.tell(), headers=headers, expected_size=size, tqdm_class=_bar(size, watch)
        )


def _library() -> Any:
    # The library reads these when it is imported. Xet is another protocol with servers of its own; a clinic's proxy
    # lets plain HTTP through.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub.file_download
    except ImportError as wrong:
        raise ModelMissing("huggingface_hub is not installed. Run: pip install huggingface_hub") from wrong
    return huggingface_hub


@contextlib.contextmanager
def _errors(endpoint: str, source: Hub) -> Iterator[None]:
    """The library's errors in our words. All of them are OSError, apart from those of its HTTP client."""
    import httpx2

    try:
        yield
    except (OSError, httpx2.HTTPError) as wrong:
        raise ModelError(
            f"{source.path} of {source.repository} could not be fetched from {endpoint}: {type(wrong).__name__}. "
            "Is the address right (HF_ENDPOINT), and does a firewall or proxy let it through? "
            "What was fetched is kept; try again."
        ) from wrong


def _bar(size: int, watch: Callable[[int, int], None]) -> type[Any]:
    """The library tells progress only through a tqdm class."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # no types of its own

    class Bar(tqdm):  # type: ignore[misc]  # the base has no types
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **options | {"disable": True})
            self._done = options.get("initial", 0)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            watch(self._done, size)
            return None

    return Bar
