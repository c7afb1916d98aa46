"""Plays each scene, has its log diagnosed, and compares."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Both put their scenes into the lists of `scene`.
import scenes  # noqa: F401
import tls_scenes  # noqa: F401
from records import read
from scene import HARMLESS, INCIDENTS, Scene
from stage import free_port, wait_for
from stretch import stretched

# Of the incidents at least this share has to be named right, as docs/diagnosis.md claims; of the harmless days none may be blamed.
CLAIMED = 0.95
# Scenes that are played at the same time, each in a process: two processors carry no more without distorting each other's times.
AT_ONCE = 4
# A scene whose own timers were late by more seconds was distorted by a busy machine, whatever was found: it is played again, so often.
LATE, AGAIN = 0.25, 3


class Proxy:
    """One closewatch with a close log of its own."""

    def __init__(self, binary, folder, name, upstream, extra=()):
        self.port, self.log = free_port(), folder / ("%s.jsonl" % name)
        command = [binary, "--listen", "127.0.0.1:%d" % self.port, "--admin", "off", "--close-log", str(self.log)]
        config = folder / ("%s.toml" % name)
        config.write_text('upstream = "%s"\n%s' % (upstream, "\n".join(extra)))
        with open(folder / ("%s.err" % name), "w") as errors:
            self.process = subprocess.Popen([*command, "--config", str(config)], stdin=subprocess.DEVNULL, stderr=errors)
        self.name = name

    async def up(self):
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return self
            except OSError:
                await asyncio.sleep(0.05)
        sys.exit("%s does not listen" % self.name)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(30)

    def records(self, instance):
        lines = [read(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [{**record, "instance": instance} for record in lines]


async def lateness():
    """Measures by how much timers are late, until it is cancelled. Gives the most."""
    most, now = 0.0, asyncio.get_running_loop().time
    try:
        while True:
            due = now() + 0.02
            await asyncio.sleep(0.02)
            most = max(most, now() - due)
    except asyncio.CancelledError:
        return most


async def played(binary, scene: Scene, folder):
    """Plays a scene. Gives the path of its log, and by how much its timers were late."""
    proxies = []
    clock = asyncio.create_task(lateness())

    async def proxy(upstream, *extra):
        name = "pod-%d" % (len(proxies) + 1)
        url = upstream if isinstance(upstream, str) else "http://127.0.0.1:%d" % upstream
        proxies.append(Proxy(binary, folder, name, url, extra))
        return await proxies[-1].up()

    try:
        await asyncio.wait_for(scene.play(proxy), 90)
        clock.cancel()
    finally:
        for one in proxies:
            await asyncio.to_thread(one.stop)
    records = [record for one in proxies for record in one.records(one.name)]
    if not records:
        sys.exit("%s: no records" % scene.name)
    records = stretched(sorted(records, key=lambda record: record["time"]), scene.stretch)
    path = folder / "closes.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path, await clock


def diagnosed(binary, path):
    report = subprocess.run([binary, "report", "--json", str(path)], capture_output=True, text=True, timeout=60)
    if report.returncode:
        sys.exit("report failed: %s" % report.stderr)
    return json.loads(report.stdout)


def is_found(cause, found):
    """Whether a finding is this cause."""
    if found["culprit"] not in cause.culprits or found["mechanism"] not in cause.mechanisms:
        return False
    limit = found["limit_s"]
    if cause.limit is not None and (limit is None or abs(limit - cause.limit) > 0.1 * cause.limit):
        return False
    return cause.common.items() <= found["common"].items()


def verdict(scene: Scene, findings):
    """Whether the findings are what the scene was, and how they read."""
    named = ["%s %s%s" % (f["culprit"], f["mechanism"], "" if f["limit_s"] is None else " %.4g s" % f["limit_s"]) for f in findings]
    right = len(findings) == len(scene.causes) and all(any(is_found(cause, found) for found in findings) for cause in scene.causes)
    return right, " + ".join(named) or "nothing"


def one(binary, name, top):
    """Plays the scene of this name. Gives whether what was found is right, how it reads, the records, and how often it was played."""
    (scene,) = (scene for scene in INCIDENTS + HARMLESS if scene.name == name)
    folder = Path(top) / name
    for times in range(1, AGAIN + 1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path, late = asyncio.run(played(binary, scene, folder))
        if late <= LATE:
            break
    report = diagnosed(binary, path)
    return *verdict(scene, report["findings"]), report["records"], times


def main(binary, names):
    played_here = INCIDENTS + HARMLESS
    if unknown := set(names) - {scene.name for scene in played_here}:
        sys.exit("no scenes: %s; there are: %s" % (", ".join(unknown), ", ".join(scene.name for scene in played_here)))
    chosen = [scene for scene in played_here if not names or scene.name in names]
    with tempfile.TemporaryDirectory(prefix="closewatch-plays-") as top, ProcessPoolExecutor(AT_ONCE) as pool:
        at = os.environ.get("KEEP", top)
        rows = dict(zip((scene.name for scene in chosen), pool.map(one, *zip(*((binary, scene.name, at) for scene in chosen)))))

    print("| played | records | found | |\n|---|---|---|---|")
    for scene in chosen:
        right, shown, records, times = rows[scene.name]
        again = "" if times == 1 else ", played %d times on a busy machine" % times
        print("| %s | %d | %s | %s%s |" % (scene.title, records, shown, "right" if right else "**wrong**", again))
    incidents = [rows[scene.name][0] for scene in chosen if scene.causes]
    harmless = [rows[scene.name][0] for scene in chosen if not scene.causes]
    print("\n%d of %d incidents named right, %d of %d harmless days without a finding" % (
        sum(incidents), len(incidents), sum(harmless), len(harmless)))
    if (incidents and sum(incidents) < CLAIMED * len(incidents)) or not all(harmless):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
