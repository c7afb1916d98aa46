"""Real processes on free ports of 127.0.0.1: Prometheus, Alertmanager, and what Prometheus scrapes. Each is stopped by its own pid."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


taken = set()


def free_port():
    """A free port, never the same twice: the kernel may offer a port again until a process listens on it."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in taken:
            taken.add(port)
            return port


def found(program):
    """The path of a program. install.sh has put the unpacked Debian packages on the PATH."""
    return shutil.which(program) or sys.exit("%s is missing" % program)


def wait_for(what, check, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (value := check()) is not None:
            return value
        time.sleep(0.05)
    sys.exit("waited %d s in vain for %s" % (seconds, what))


def fetch(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read()


def ready(url):
    def check():
        try:
            fetch(url)
            return True
        except OSError:
            return None

    return check


class Stage:
    """A temporary folder and the processes in it. The end of `with Stage() as stage` stops them all."""

    def __enter__(self):
        # A shell ignores SIGINT for background jobs, and Python does not unwind on SIGTERM by itself.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sys.exit(1))
        self.folder = Path(tempfile.mkdtemp(prefix="closewatch-stage-"))
        self.processes = []
        return self

    def __exit__(self, *failure):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        if failure[0] in (None, SystemExit) and not (failure[0] and failure[1].code):
            shutil.rmtree(self.folder)
        else:
            print("what the processes said is in %s" % self.folder, file=sys.stderr)

    def start(self, name, command):
        out = self.folder / ("%s.out" % name)
        with open(out, "ab") as log, open(self.folder / ("%s.err" % name), "ab") as errors:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=errors
            )
        self.processes.append(process)
        return process, out

    def stop(self, process, seconds=20):
        """Sends SIGTERM, and waits for the exit."""
        process.send_signal(signal.SIGTERM)
        process.wait(seconds)

    def prometheus(self, jobs, interval, name="prometheus", rules=(), alertmanager=None, lookback="5m"):
        """Starts a Prometheus that scrapes `{job: {instance: address}}`, and waits until it is up."""
        return Prometheus(self, name, jobs, interval, rules, alertmanager, lookback)

    def alertmanager(self, config):
        """Starts an Alertmanager with this configuration, waits until it is up, and returns its URL."""
        binary = found("prometheus-alertmanager")
        path = self.folder / "alertmanager.yml"
        path.write_text(config)
        url = "127.0.0.1:%d" % free_port()
        self.start(
            "alertmanager",
            [
                binary,
                "--config.file=%s" % path,
                "--storage.path=%s" % (self.folder / "alertmanager"),
                "--web.listen-address=" + url,
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
        )
        url = "http://" + url
        wait_for("Alertmanager at %s" % url, ready(url + "/-/ready"))
        return url


class Prometheus:
    """A Prometheus: its process, which can be stopped and started again, and its API."""

    def __init__(self, stage, name, jobs, interval, rules, alertmanager, lookback):
        self.stage, self.name = stage, name
        # JSON is YAML.
        config = {
            "global": {"scrape_interval": interval},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {
                    "job_name": job,
                    "static_configs": [
                        {"targets": [address], "labels": {"instance": instance}}
                        for instance, address in instances.items()
                    ],
                }
                for job, instances in jobs.items()
            ],
        }
        if alertmanager:
            address = alertmanager.removeprefix("http://")
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
        path = stage.folder / (name + ".yml")
        path.write_text(json.dumps(config, indent=1))
        address = "127.0.0.1:%d" % free_port()
        self.url = "http://" + address
        self.command = [
            found("prometheus"),
            "--config.file=%s" % path,
            "--storage.tsdb.path=%s" % (stage.folder / (name + ".data")),
            "--web.listen-address=" + address,
            "--query.lookback-delta=" + lookback,
            "--log.level=warn",
        ]
        self.start()

    def start(self):
        self.process, _ = self.stage.start(self.name, self.command)
        wait_for("Prometheus at %s" % self.url, ready(self.url + "/-/ready"))

    def stop(self):
        self.stage.stop(self.process)

    def api(self, path, **parameters):
        url = "%s/api/v1/%s?%s" % (self.url, path, urllib.parse.urlencode(parameters, doseq=True))
        try:
            return json.loads(fetch(url, 30))["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["error"]) from None

    def instant(self, expr, at):
        return self.api("query", query=expr, time=at)["result"]

    def over(self, expr, start, end, step):
        return self.api("query_range", query=expr, start=start, end=end, step=step)["result"]


class Demo:
    """`closewatch demo`, and its two addresses."""

    def __init__(self, stage, binary, name, admin="127.0.0.1:0"):
        self.process, out = stage.start(name, [binary, "demo", "--admin", admin])
        seen = out.stat().st_size

        def addresses():
            if self.process.poll() is not None:
                sys.exit("%s demo ended: %s" % (binary, (stage.folder / (name + ".err")).read_text()))
            text = out.read_text(errors="replace")[seen if seen < out.stat().st_size else 0 :]
            found = re.search(r"ws://([\d.:]+)/.*?http://([\d.:]+)/metrics", text, re.S)
            return found and found.groups()

        self.front, self.admin = wait_for("the addresses of the demo", addresses)
