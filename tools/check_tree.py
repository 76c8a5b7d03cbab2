"""What no other tool checks: nothing in the tree names a registry or holds a secret."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_FORBIDDEN_FILES = re.compile(r"(^|/)(uv\.lock|pylock[^/]*\.toml|\.env)$")
_FORBIDDEN_TEXT = {
    "a package registry's address": re.compile(
        rb"(?:index-url|find-links|registry|resolved)\"?\s*[=:]\s*\"?https?://"
    ),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{20}"),
}


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        check=True,
        capture_output=True,
    ).stdout
    faults = []
    for name in filter(None, listed.decode().split("\0")):
        path = Path(name)
        if _FORBIDDEN_FILES.search(name):
            faults.append(f"{name}: must not be in the tree")
        if not path.is_file() or path.suffix == ".webp":
            continue
        content = path.read_bytes()
        for what, pattern in _FORBIDDEN_TEXT.items():
            if pattern.search(content):
                faults.append(f"{name}: holds {what}")
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
