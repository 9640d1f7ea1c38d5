"""What the README asks of ``curl``, for machines without it: the tests must pass on a Debian with nothing prepared."""

import argparse
import base64
import netrc
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


def main() -> int:
    """Make the request and print the body; 22 for an HTTP error with ``--fail``, as curl answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", "--request", default="GET")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("--data-urlencode", action="append", default=[])
    parser.add_argument("--dump-header")
    parser.add_argument("--output")
    parser.add_argument("--netrc-file")
    for flag in ("--get", "--silent", "--show-error", "--fail"):
        parser.add_argument(flag, action="store_true")
    asked = parser.parse_args()
    headers = dict(line.split(": ", 1) for line in asked.header) | _login(asked.netrc_file, asked.url)
    data = None if asked.data is None else asked.data.encode()
    fields = urllib.parse.urlencode(
        [tuple(each.split("=", 1)) for each in asked.data_urlencode], quote_via=urllib.parse.quote
    )
    url = f"{asked.url}?{fields}" if fields else asked.url
    request = urllib.request.Request(url, data, headers, method=asked.request)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            if asked.dump_header:
                sys.stdout.buffer.write(bytes(answer.headers))
            (Path(asked.output).write_bytes if asked.output else sys.stdout.buffer.write)(answer.read())
    except urllib.error.HTTPError as refused:
        sys.stderr.write(f"curl: (22) The requested URL returned error: {refused.code}\n")
        return 22
    return 0


def _login(file: str | None, url: str) -> dict[str, str]:
    found = netrc.netrc(file).authenticators(urllib.parse.urlsplit(url).hostname or "") if file else None
    if found is None:
        return {}
    token = base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


if __name__ == "__main__":
    sys.exit(main())
