"""Delete the data folder with all its servers' data: `python -m services.embedded.purge`, called by `make purge`."""

import os
import shutil
import sys
from pathlib import Path

from services.embedded.accounts import remove_server_folder
from services.embedded.processes import FolderLock

SERVERS = ("postgres", "rabbitmq")


def purge(home: Path) -> None:
    """Delete the home and the servers' folders that lie elsewhere; `ServerFailed` while one of them runs."""
    for name in SERVERS:
        if (home / name).exists():
            FolderLock(home / name).take()
    for name in SERVERS:
        remove_server_folder(home, name)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    purge(Path(os.environ.get("TWINLOG_HOME", ".twinlog")))
    sys.stdout.write("the data folder is gone\n")
