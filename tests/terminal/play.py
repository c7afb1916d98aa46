"""What people see: demo, tail, explain and report in a terminal of 80 and of 120 columns, and in a pipe.

    python3 play.py CLOSEWATCH

A terminal is a tmux session of its own server. tmux says of each line whether it was wrapped: with `-J` it joins what was.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

WIDTHS = (80, 120)
PATIENCE = 60
ESCAPE = "\x1b"
# Of every line for an ending, the time at its beginning.
ENDING = re.compile(r"^\d\d:\d\d:\d\d ")


class Terminal:
    """A command in a terminal of so many columns, with all that it has printed."""

    count = 0

    def __init__(self, folder, columns, command, environment=()):
        Terminal.count += 1
        self.columns = columns
        # A server of its own, which knows nothing of the user's.
        self.tmux = ["tmux", "-f", "/dev/null", "-L", "closewatch-%d-%d" % (os.getpid(), Terminal.count)]
        (folder / "status").unlink(missing_ok=True)
        # The screen stays when the command is over, and says how it ended. Ctrl-C is for the command alone.
        shell = "trap : INT; stty -echo; %s; echo $? > %s; exec sleep 3600" % (command, folder / "status")
        settings = [word for name, value in environment for word in ("-e", "%s=%s" % (name, value))]
        size = ["-x", str(columns), "-y", "50"]
        self.run("new-session", "-d", *size, *settings, "sh", "-c", shell, ";", "set", "-g", "history-limit", "5000")
        self.status = folder / "status"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("kill-server")

    def run(self, *arguments):
        return subprocess.run([*self.tmux, *arguments], check=True, capture_output=True, text=True).stdout

    def lines(self, *options):
        """What stands on the screen and above it."""
        return self.run("capture-pane", "-p", "-S", "-", *options).rstrip("\n").split("\n")

    def press(self, key):
        self.run("send-keys", key)

    def until(self, what, holds):
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                sys.exit("waited for %s, with this on the screen:\n%s" % (what, "\n".join(self.lines())))
            time.sleep(0.1)

    def over(self):
        """Waits until the command has ended; its exit code."""
        self.until("the end", lambda: self.status.exists() and self.status.read_text())
        return int(self.status.read_text())

    def wraps(self):
        """Lines that the terminal has wrapped."""
        return [line.rstrip() for line in self.lines("-J") if len(line.rstrip()) > self.columns]


def endings(lines):
    return [line for line in lines if ENDING.match(line)]


def expect(holds, why, lines=()):
    if not holds:
        sys.exit("FAILED: %s\n%s" % (why, "\n".join(lines)))


def demo_and_tail(closewatch, folder, columns):
    """Both show the same endings, in as many columns as there are, and in colours."""
    port = free_port()
    command = "%s demo --admin 127.0.0.1:%d --rate 20" % (closewatch, port)
    with Terminal(folder, columns, command) as demo:
        demo.until("sixty endings", lambda: len(endings(demo.lines())) >= 60)
        follower = folder / "tail"
        follower.mkdir(exist_ok=True)
        with Terminal(follower, columns, "%s tail --admin http://127.0.0.1:%d -n 60" % (closewatch, port)) as tail:
            tail.until("sixty endings", lambda: len(endings(tail.lines())) >= 60)
            tail.press("C-c")
            expect(tail.over() == 0, "tail exits with 0 after Ctrl-C", tail.lines())
            expect(any("sessions ended in" in line for line in tail.lines()), "tail ends with a summary", tail.lines())
            check_lines("tail", tail, columns)
        demo.press("C-c")
        expect(demo.over() == 0, "demo drains at Ctrl-C", demo.lines())
        check_lines("demo", demo, columns)
        page = [line for line in demo.lines() if "http://127.0.0.1:%d/" % port in line]
        expect(page, "demo says where its page is", demo.lines())


def refused(closewatch, folder, columns):
    """What went wrong is broken between words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = "%s demo --admin 127.0.0.1:%d" % (closewatch, taken.getsockname()[1])
        with Terminal(folder, columns, command) as terminal:
            expect(terminal.over() == 1, "a demo whose address is taken exits with 1", terminal.lines())
            said = [line for line in terminal.lines() if line]
            expect(len(said) > 1 and "another process does" in " ".join(said), "it says why", said)
            expect(not terminal.wraps(), "an error wraps at %d columns" % columns, terminal.wraps())
            print("ok: an error at %d columns" % columns)


def check_lines(name, terminal, columns):
    lines = terminal.lines()
    expect(not terminal.wraps(), "%s wraps at %d columns" % (name, columns), terminal.wraps())
    expect(all(len(line) <= columns for line in lines), "%s is wider than %d columns" % (name, columns), lines)
    expect(any(line.startswith("TIME ") for line in lines), "%s has a heading" % name, lines)
    coloured = [line for line in terminal.lines("-e") if ESCAPE + "[3" in line]
    expect(len(coloured) >= 20, "%s has colours in a terminal" % name, lines)
    cut = [line for line in endings(lines) if "\u2026" in line and "\u2026" in line[:-1].rstrip()]
    expect(not cut, "%s cuts nothing but the reason" % name, cut)
    print("ok: %s at %d columns, %d endings" % (name, columns, len(endings(lines))))


def text_commands(closewatch, folder, columns, log):
    """explain and report fit, too."""
    for name, arguments in [
        ("explain 1006", "explain 1006"),
        ("explain 1005 1006", "explain 1005 1006"),
        ("explain upstream_reset", "explain upstream_reset"),
        ("explain idle_cut", "explain idle_cut"),
        ("report", "report %s" % log),
    ]:
        with Terminal(folder, columns, "%s %s" % (closewatch, arguments)) as terminal:
            expect(terminal.over() == 0, "%s exits with 0" % name, terminal.lines())
            lines = [line for line in terminal.lines() if line]
            expect(len(lines) > 4, "%s says something" % name, lines)
            expect(not terminal.wraps(), "%s wraps at %d columns" % (name, columns), terminal.wraps())
            print("ok: %s at %d columns, %d lines, the longest %d" % (name, columns, len(lines), max(map(len, lines))))


def without_colours(closewatch, folder, log):
    """In a pipe, and with NO_COLOR."""
    port = free_port()
    demo = subprocess.Popen(
        [closewatch, "demo", "--admin", "127.0.0.1:%d" % port, "--rate", "20"], stdout=subprocess.PIPE, text=True
    )
    try:
        shown = [demo.stdout.readline() for _ in range(40)]
        expect(any(line.startswith("20") for line in shown), "a piped line has its date", shown)
        with subprocess.Popen(
            [closewatch, "tail", "--admin", "http://127.0.0.1:%d" % port], stdout=subprocess.PIPE, text=True
        ) as tail:
            followed = [tail.stdout.readline() for _ in range(20)]
            tail.send_signal(signal.SIGINT)
        closes = urllib.request.urlopen("http://127.0.0.1:%d/closes?limit=1000" % port).read()
        log.write_bytes(closes)
        with Terminal(folder, 80, "%s tail --admin http://127.0.0.1:%d" % (closewatch, port), [("NO_COLOR", "1")]) as plain:
            plain.until("ten endings", lambda: len(endings(plain.lines())) >= 10)
            expect(not any(ESCAPE + "[3" in line for line in plain.lines("-e")), "NO_COLOR is obeyed", plain.lines())
    finally:
        demo.terminate()
        demo.communicate()
    texts = {"demo": "".join(shown), "tail": "".join(followed)}
    for name, arguments in [("explain", ["explain", "1006"]), ("report", ["report", str(log)])]:
        texts[name] = subprocess.run([closewatch, *arguments], capture_output=True, text=True, check=True).stdout
    for name, text in texts.items():
        expect(text and ESCAPE not in text, "%s has no colour in a pipe" % name, [text])
    expect(all(json.loads(line) for line in log.read_text().splitlines()), "/closes is JSON lines")
    print("ok: demo, tail, explain and report have no colour in a pipe, tail none with NO_COLOR")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    closewatch = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="closewatch-terminal-") as folder:
        folder = Path(folder)
        log = folder / "closes.jsonl"
        without_colours(closewatch, folder, log)
        for columns in WIDTHS:
            demo_and_tail(closewatch, folder, columns)
            refused(closewatch, folder, columns)
            text_commands(closewatch, folder, columns, log)


if __name__ == "__main__":
    main()
