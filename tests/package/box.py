"""A bare Debian that systemd has booted, in namespaces of its own."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

# Files that a container, its package manager and its journal write in any case.
VOLATILE = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/lib/dpkg", "/var/lib/systemd", "/var/log", "/var/tmp")
PATIENCE = 120


class Box:
    """Boots at entry; at exit it is powered off, and with it goes everything that was changed in it."""

    def __init__(self, root):
        self.root = root

    def __enter__(self):
        # One overlay for each box: `root` is only read. No console, no registration with a systemd of the host.
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--volatile=overlay", "--boot", "--register=no", "--keep-unit",
             "--private-network", "--console=read-only"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until("the container's systemd", lambda: children.read_text().split() and self.is_booted(children.read_text().split()[0]))
        return self

    def __exit__(self, *_):
        # systemd's own signal for "power off".
        os.kill(int(self.leader), signal.SIGRTMIN + 4)
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def is_booted(self, leader):
        self.leader = leader
        said = self.try_run("systemctl", "is-system-running", "--wait").stdout.strip()
        return said in ("running", "degraded")

    def enter_network(self):
        """From here on, sockets of this process are opened in the box: no port of the machine is used."""
        with open(f"/proc/{self.leader}/ns/net") as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def command(self, *words):
        return ["nsenter", f"--target={self.leader}", "--all", "--", *words]

    def try_run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def run(self, *words):
        """The output of a command that has to succeed."""
        done = self.try_run(*words)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def put(self, file, into):
        """Copies a file into the box."""
        with open(file, "rb") as content:
            subprocess.run(self.command("sh", "-c", f"cat >{into}"), stdin=content, check=True)

    def files(self):
        """Every file that a package could have left, and every user. Of systemd's state, the links of units."""
        prune = " -o ".join(f"-path {folder}" for folder in VOLATILE)
        found = self.run("sh", "-c", rf"find / -xdev \( {prune} \) -prune -o -print; find /var/log /var/lib/systemd -name '*closewatch*'")
        return set(found.splitlines()) | set(self.run("cat", "/etc/passwd", "/etc/group").splitlines())


def until(what, condition):
    """Waits for a condition that nobody announces."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {PATIENCE} s")
        time.sleep(0.1)
