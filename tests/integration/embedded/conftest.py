"""A home for servers that a test may stop and kill, reachable for the user that root's servers run as."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.embedded.accounts import remove_server_folder


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="twinlog-home-"))
    folder.chmod(0o711)
    yield folder
    for server in ("postgres", "rabbitmq"):
        remove_server_folder(folder, server)
    shutil.rmtree(folder)
