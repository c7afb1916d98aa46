"""Runs a binary in the image's root file system, as the image's user: `root.py BINARY FOLDER`.

No container engine is needed: deploy/rootfs makes the root, and `unshare` enters it in a user namespace of its own.
"""

import http.server
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

binary, folder = sys.argv[1:]
root = Path(folder)
USER = "65532"
ENTER = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}", f"--root={root}", "--wd=/"]
PROGRAM = "/usr/bin/closewatch"


def fail(message):
    sys.exit(f"image: {message}")


class Backend(http.server.BaseHTTPRequestHandler):
    """A backend with one answer."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def listening(process):
    """The proxy's address, from closewatch's own log."""
    said = []
    for line in process.stderr:
        said.append(line)
        if match := re.search(r'listener="proxy" address=(\S+)', line):
            return match[1]
    fail(f"closewatch did not start:\n{''.join(said)}")


if root.exists():
    shutil.rmtree(root)
subprocess.run([Path(__file__).resolve().parents[1] / "rootfs", binary, root], check=True)
# A container runtime writes this file.
shutil.copy("/etc/hosts", root / "etc/hosts")

# An https:// upstream makes `check` read the roots of trust.
(root / "etc/closewatch/closewatch.toml").write_text('upstream = "https://backend"\n')
checked = subprocess.run([*ENTER, PROGRAM, "check", "/etc/closewatch/closewatch.toml"], capture_output=True, text=True)
if checked.returncode != 0:
    fail(f"`closewatch check` in the image's root: {checked.stderr}")

backend = http.server.HTTPServer(("127.0.0.1", 0), Backend)
threading.Thread(target=backend.serve_forever, daemon=True).start()
# By name, so that the C library has to resolve it.
arguments = ["--listen", "127.0.0.1:0", "--admin", "off", "--close-log", "off", "--upstream",
             f"http://localhost:{backend.server_port}"]
with subprocess.Popen([*ENTER, PROGRAM, *arguments], stderr=subprocess.PIPE, text=True) as process:
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        body = direct.open(f"http://{listening(process)}/", timeout=10).read()
        if body != b"ok":
            fail(f"an answer through closewatch: {body!r}")
        process.terminate()
        rest = process.stderr.read()
        if process.wait(timeout=30) != 0:
            fail(f"closewatch ended with {process.returncode}:\n{rest}")
    finally:
        process.kill()
files = sum(1 for file in root.rglob("*") if file.is_file())
print(f"  the image's root, {files} files: served, resolved a name and drained as {USER}")
