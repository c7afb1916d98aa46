#!/usr/bin/env python3
"""Draws what `closewatch report` prints in a terminal of a demo's close log as docs/images/report.svg:

    cargo build --release && docs/images/report.py [CLOSEWATCH]      # CLOSEWATCH: target/release/closewatch

A demo of a minute writes the log. The picture has the first findings and one of the tables, as they came.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import drawn, shown

SHOWN = "closewatch report close.jsonl"
SECONDS = 60
FINDINGS = 3
TABLE = "Silence before the end"


def output(closewatch):
    """The lines of the report, as a terminal gets them."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "close.jsonl")
        demo = [closewatch, "demo", "--admin", "127.0.0.1:0", "--rate", "12", "--closes", log]
        try:
            subprocess.run(demo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pass
        return shown([closewatch, "report", log], 110)


def parts(lines):
    """The beginning, and one table."""
    end = next((at for at, line in enumerate(lines) if line.startswith(f"{FINDINGS + 1}. ")), len(lines))
    table = lines.index(TABLE)
    blank = next(at for at in range(table, len(lines)) if not lines[at])
    return [*lines[:end], "[...]", "", *lines[table:blank]]


def main():
    closewatch = sys.argv[1] if len(sys.argv) > 1 else "target/release/closewatch"
    lines = [f"$ {SHOWN}", *parts(output(closewatch))]
    Path(__file__).with_name("report.svg").write_text(drawn(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
