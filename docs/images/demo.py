#!/usr/bin/env python3
"""Draws what `closewatch demo` prints in a terminal as docs/images/demo.svg:

    cargo build --release && docs/images/demo.py [CLOSEWATCH]      # CLOSEWATCH: target/release/closewatch

Plays every scene once, with two sessions a second, and draws the lines as they came: text and colours are the program's own.
Addresses are loopback with ports of the system's choice.
"""

import html
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

SHOWN = "cargo run --release -- demo"
COLUMN, ROW, MARGIN = 8.4, 19, 16
BACKGROUND, TEXT = "#0d1117", "#c9d1d9"
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "35": "#d2a8ff", "36": "#79c0ff"}
PAINTED = re.compile(r"^\x1b\[(\d+)m(.*)\x1b\[0m$")


def output(closewatch):
    """All lines of one round."""
    return shown([closewatch, "demo", "--admin", "127.0.0.1:0", "--rate", "2", "--rounds", "1"], 120)


def shown(command, columns):
    """The lines that a command writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    process = subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that no process has the terminal open any more
            break
        if not piece:
            break
        text += piece
    if process.wait() != 0:
        sys.exit(f"docs/images: {' '.join(map(str, command[:2]))} has failed")
    return text.decode().replace("\r\n", "\n").rstrip("\n").split("\n")


def drawn(lines):
    """An SVG with a text element for each column of a line, at its place and of its length in whatever font there is."""
    rows = []
    for number, line in enumerate(lines):
        painted = PAINTED.match(line)
        colour, words = (COLOURS[painted[1]], painted[2]) if painted else (TEXT, line)
        y = MARGIN + (number + 0.75) * ROW
        for column in re.finditer(r"\S+( \S+)*", words):
            x, length = MARGIN + column.start() * COLUMN, len(column[0]) * COLUMN
            rows.append(
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" textLength="{length:.1f}">'
                f"{html.escape(column[0], quote=False)}</text>"
            )
    width = max(len(PAINTED.sub(r"\2", line)) for line in lines) * COLUMN + 2 * MARGIN
    height = len(lines) * ROW + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def main():
    closewatch = sys.argv[1] if len(sys.argv) > 1 else "target/release/closewatch"
    lines = [f"$ {SHOWN}", *output(closewatch)]
    Path(__file__).with_name("demo.svg").write_text(drawn(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
