"""A home for servers that a test may stop and kill, reachable for the user that root's servers run as."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.embedded.accounts import remove_server_folder


@contextmanager
def servers_home() -> Iterator[Path]:
    """A fresh home, deleted at the end with what its servers kept elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="twinlog-home-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for home in (folder, *folder.iterdir()):
            for server in ("postgres", "rabbitmq"):
                remove_server_folder(home, server)
        shutil.rmtree(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    with servers_home() as folder:
        yield folder
