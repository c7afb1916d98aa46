"""Plays what users do with the artifacts of a release: `play.py ROOT DIST WORK`. tests/package/run has the usage."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

from box import Box, until
from records import read
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

ROOT, DIST, WORK = (Path(argument) for argument in sys.argv[1:])
SESSIONS = 20
FRONT = "ws://127.0.0.1:8080"
CONFIGURATION = "/etc/closewatch/closewatch.toml"
# Left behind by an RPM: the user and its group, what an administrator has written, and the folder of close logs.
LEFT_BY_RPM = {"closewatch", "/etc/closewatch/closewatch.toml.rpmsave", "/var/log/closewatch"}


def need(condition, message):
    if not condition:
        sys.exit(f"tests/package: {message}")


def say(text):
    print(f"  {text}", flush=True)


def artifact(pattern):
    found = list(DIST.glob(pattern))
    need(len(found) == 1, f"{DIST} has {len(found)} files {pattern}")
    return found[0]


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    need(done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fresh(name):
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# === files ===


def files():
    """The checksums hold, and every artifact has the same binary."""
    run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS", cwd=DIST)
    # As docs/install.md has it, for those who took some of the files.
    some = fresh("some")
    for file in ("SHA256SUMS", artifact("*.deb").name):
        shutil.copy(DIST / file, some)
    run("sha256sum", "--check", "--ignore-missing", "SHA256SUMS", cwd=some)
    unpacked = fresh("unpacked")
    run("tar", "--extract", "--file", artifact("*-linux-gnu.tar.gz"), f"--directory={unpacked}", "--strip-components=1")
    run("dpkg-deb", "--extract", artifact("*.deb"), unpacked / "deb")
    for file in ("LICENSE-APACHE", "LICENSE-MIT", "config/example.toml", "man/closewatch-report.1", "completions/_closewatch", "docs/record.md"):
        need((unpacked / file).is_file(), f"the tarball has no {file}")
    binaries = [unpacked / "closewatch", unpacked / "deb/usr/bin/closewatch"]
    need(len({binary.read_bytes() for binary in binaries}) == 1, "tarball and package have different binaries")

    run("tar", "--extract", "--file", artifact("*.symbols.tar.gz"), f"--directory={unpacked}")
    symbols = unpacked / "closewatch.debug"
    build_id = lambda file: run("readelf", "--notes", file).split("Build ID: ")[1].split()[0]
    need(build_id(symbols) == build_id(binaries[0]), "the symbols are those of another binary")
    need("closewatch" in run("nm", "--demangle", symbols) and "no symbols" in subprocess.run(
        ["nm", binaries[0]], capture_output=True, text=True).stderr, "the symbols are not apart")

    components = json.loads(artifact("*.cdx.json").read_text())["components"]
    known = {(component["name"], component["version"]) for component in components}
    locked = {tuple(line.split('"')[1] for line in lines[:2]) for lines in
              (block.strip().splitlines() for block in Path("Cargo.lock").read_text().split("[[package]]\n")[1:])}
    need(len(known) > 50 and known <= locked, f"the SBOM has {len(known)} components, not in Cargo.lock: {known - locked}")
    say(f"files: checksums, one binary, its symbols apart, {len(known)} components in the SBOM")
    return binaries[0].read_bytes()


# === sessions ===


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


async def answered(client, text):
    await client.send(text)
    need(await client.recv() == text, f"{text!r} was not answered")


def records(text):
    lines = (line for line in text.splitlines() if line.startswith("{"))
    return [record for record in map(read, lines) if record["event"] == "websocket.closed"]


def said_by(box):
    return box.run("journalctl", "--unit", "closewatch", "--output", "cat", "--no-pager")


def journal(box):
    return records(said_by(box))


def shown(box, what):
    return box.run("systemctl", "show", "--value", f"--property={what}", "closewatch.service").strip()


def runs(box):
    """Both units are enabled and active; gives the user of the service."""
    for unit in ("closewatch.service", "closewatch.socket"):
        need(box.run("systemctl", "is-active", unit).strip() == "active", f"{unit} does not run")
        need(box.run("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is not enabled")
    user = box.run("stat", "--format=%U", f"/proc/{shown(box, 'MainPID')}").strip()
    need(user == "closewatch", f"the service runs as {user}")
    return user


async def use(box, user):
    """A session is recorded; a change of the configuration is in force after a reload."""
    client = await connect(FRONT)
    await answered(client, "one")
    await client.close(4000, "done")
    until("the record", lambda: journal(box))
    record = journal(box)[0]
    ended = (record["code"], record["initiator"], record["cause"], record["reason"])
    need(ended == (4000, "client", "close_handshake", "done"), f"the record: {record}")
    say(f"started as {user}, a session recorded: code {ended[0]}, {ended[1]}, {ended[2]}")

    box.run("sh", "-c", f"printf '[classes]\\n\"4000\" = \"planned\"\\n' >>{CONFIGURATION}")
    box.run("systemctl", "reload", "closewatch")
    client = await connect(FRONT)
    await answered(client, "two")
    await client.close(4000)
    until("the second record", lambda: len(journal(box)) == 2)
    classes = [record["class"] for record in journal(box)]
    need(classes == ["application", "planned"], f"the classes before and after the reload: {classes}")
    # As docs/install.md has it.
    box.run("sh", "-c", "cd /etc/closewatch && echo key >key.pem && chgrp closewatch key.pem && chmod 640 key.pem")
    box.run("runuser", "--user", "closewatch", "--", "cat", "/etc/closewatch/key.pem")
    box.run("rm", "/etc/closewatch/key.pem")
    score = box.run("systemd-analyze", "--no-pager", "security", "closewatch").strip().splitlines()[-1]
    say(f"reloaded: a close code has another class; {score.removeprefix('→ ')}")


async def upgrade(box, *command):
    """While a package manager upgrades, live sessions are served and then drained, and a client that comes meanwhile waits."""
    first = shown(box, "MainPID")
    clients = [await connect(FRONT) for _ in range(SESSIONS)]
    for client in clients:
        await answered(client, "before")
    upgrading = await asyncio.create_subprocess_exec(
        *box.command(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    # From here on the first instance accepts nobody. systemd's own state comes before the process has taken the signal.
    await asyncio.to_thread(until, "the drain", lambda: "drain begins" in said_by(box))
    newcomer = asyncio.ensure_future(connect(FRONT, open_timeout=100))
    for client in clients:
        await answered(client, "during")
    codes = []
    for client in clients:
        try:
            await client.recv()
        except ConnectionClosed:
            codes.append(client.close_code)
    need(codes == [1001] * SESSIONS, f"the sessions ended with {codes}")
    newcomer = await newcomer
    await answered(newcomer, "after")
    said = (await upgrading.communicate())[0].decode()
    need(upgrading.returncode == 0, said)
    need(shown(box, "MainPID") != first and shown(box, "SubState") == "running", "no new instance runs")
    drained = [record for record in journal(box) if record["cause"] == "drain"]
    need(len(drained) == SESSIONS and all(record["class"] == "planned" for record in drained),
         f"{len(drained)} records of drained sessions")
    need('"4000"' in box.run("cat", CONFIGURATION), "the administrator's configuration is gone")
    say(f"upgraded: {SESSIONS} live sessions served while it drained, then closed with 1001, none cut; a client that came meanwhile "
        "waited, and was served by the new instance")
    await newcomer.close()


async def debian_package(box):
    before = box.files()
    package = artifact("*.deb")
    box.put(package, "/tmp/closewatch.deb")
    box.put(next_deb(), "/tmp/next.deb")
    say("dpkg --install " + package.name + ": " + box.run("dpkg", "--install", "/tmp/closewatch.deb").splitlines()[-1])
    need(box.run("dpkg", "--verify", "closewatch") == "", "dpkg --verify finds differences")
    user = runs(box)
    async with serve(echo, "127.0.0.1", 9000):
        await use(box, user)
        await upgrade(box, "dpkg", "--install", "--force-confold", "/tmp/next.deb")
    version = box.run("dpkg-query", "--show", "--showformat=${Version}", "closewatch")
    need(version.endswith(".1"), f"the version after the upgrade is {version}")
    box.run("dpkg", "--remove", "closewatch")
    need(box.try_run("systemctl", "is-active", "closewatch.service").stdout.strip() != "active", "it runs without its package")
    need(box.run("cat", CONFIGURATION), "a removal keeps the configuration")
    box.run("dpkg", "--purge", "closewatch")
    after = box.files()
    need(after == before, f"the purge left {sorted(after - before)}, took {sorted(before - after)}")
    say(f"purged: {len(after)} files and users, as before")


# === the image ===


async def image(binary):
    """The image as a runtime gets it: unpacked by umoci, run by runc, with a root that may not be written."""
    folder = fresh("image")
    run("tar", "--extract", "--file", artifact("*.oci.tar"), f"--directory={folder}")
    tag = json.loads((folder / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
    bundle = folder / "bundle"
    run("umoci", "unpack", "--image", f"{folder}:{tag}", bundle)
    need((bundle / "rootfs/usr/bin/closewatch").read_bytes() == binary, "the image has another binary")
    config = json.loads((bundle / "config.json").read_text())
    need(config["process"]["user"]["uid"] == 65532, f"the image's user: {config['process']['user']}")
    config["root"]["readonly"] = True
    config["process"]["terminal"] = False
    config["process"]["args"] += ["--listen", "127.0.0.1:8080", "--upstream", "http://127.0.0.1:9000"]
    # The network of the box, in which this process is too.
    config["linux"]["namespaces"] = [space for space in config["linux"]["namespaces"] if space["type"] != "network"]
    (bundle / "config.json").write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        "runc", "run", f"--bundle={bundle}", f"closewatch-{tag}",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = b""
    while b'listener="proxy"' not in log:
        line = await process.stderr.readline()
        need(line, f"closewatch did not start:\n{log.decode()}")
        log += line
    async with serve(echo, "127.0.0.1", 9000):
        client = await connect(FRONT)
        await answered(client, "one")
        await client.close(1000)
    run("runc", "kill", f"closewatch-{tag}", "SIGTERM")
    out, err = await process.communicate()
    need(process.returncode == 0, f"exit {process.returncode}: {(log + err).decode()}")
    codes = [record["code"] for record in records(out.decode())]
    need(codes == [1000], f"the image's records: {codes}")
    say("image: run by runc as its manifest says, as 65532, read-only: a session recorded, drained with SIGTERM, exit 0")


# === the RPM ===


def rpm_files(binary):
    """Its files, in an empty root: there is no shell for its scripts."""
    package, root = artifact("*.rpm"), fresh("rpm").resolve()
    base = ["rpm", f"--root={root}", "--dbpath=/rpmdb"]
    # Debian's database does not know what it needs.
    run(*base, "--install", "--nodeps", "--noscripts", "--ignoreos", package.resolve())
    need(run(*base, "--verify", "--nodeps", "closewatch") == "", "rpm --verify finds differences")
    need((root / "usr/bin/closewatch").read_bytes() == binary, "the RPM has another binary")
    requires = run("rpm", "--query", "--package", "--requires", package)
    need("libc.so.6(GLIBC_2" in requires and "systemd >= 252" in requires, f"the RPM requires {requires}")
    count = len(run(*base, "--query", "--list", "closewatch").splitlines())
    run(*base, "--erase", "--nodeps", "--noscripts", "closewatch")
    left = [str(file) for file in root.rglob("*") if file.is_file() and "rpmdb" not in file.parts]
    need(left == [], f"the erased RPM left {left}")
    say(f"RPM: {count} files installed into an empty root, verified and erased")


async def rpm_package(box, binary):
    """With its scripts, by the `rpm` of Debian: there is systemd, and `useradd`, but no package that an RPM could need."""
    before = box.files()
    box.put(artifact("*.rpm"), "/tmp/closewatch.rpm")
    box.put(next_rpm(binary), "/tmp/next.rpm")
    box.run("rpm", "--install", "--nodeps", "--force-debian", "/tmp/closewatch.rpm")
    # The presets of this system enable what is installed; an RPM starts nothing.
    box.run("systemctl", "start", "closewatch.socket", "closewatch.service")
    user = runs(box)
    async with serve(echo, "127.0.0.1", 9000):
        await use(box, user)
        await upgrade(box, "rpm", "--upgrade", "--nodeps", "--force-debian", "/tmp/next.rpm")
    release = box.run("rpm", "--query", "--queryformat", "%{RELEASE}", "closewatch")
    need(release == "2", f"the release after the upgrade is {release}")
    box.run("rpm", "--erase", "--nodeps", "--force-debian", "closewatch")
    need(box.try_run("systemctl", "is-active", "closewatch.service").stdout.strip() != "active", "it runs without its package")
    added = box.files() - before
    # Its folders stay, empty; /root/.rpmdb is the database of Debian's rpm.
    paths = [path for path in added if path.startswith("/") and not path.startswith("/root/.rpmdb")]
    left = set(box.run("find", *paths, "-maxdepth", "0", "!", "-type", "d").splitlines())
    left |= {line.split(":")[0] for line in added if not line.startswith("/")}
    need(left == LEFT_BY_RPM, f"the RPM left {sorted(left)}")
    say(f"erased: it left {', '.join(sorted(LEFT_BY_RPM))}, and empty folders")


def next_rpm(binary):
    """The same package with a higher release, from what deploy/dist has packed."""
    need(Path("target/stage/closewatch").read_bytes() == binary, f"target/stage has another binary than {DIST}")
    folder = fresh("next-rpm")
    run(".work/tools/bin/cargo-generate-rpm", "--set-metadata", 'release = "2"', "--output", folder / "next.rpm")
    return folder / "next.rpm"


def next_deb():
    """The same package with a higher version."""
    folder = fresh("next")
    run("dpkg-deb", "--raw-extract", artifact("*.deb"), folder / "deb")
    control = folder / "deb/DEBIAN/control"
    text = control.read_text()
    version = text.split("Version: ")[1].split("\n")[0]
    control.write_text(text.replace(f"Version: {version}", f"Version: {version}.1"))
    run("dpkg-deb", "--build", "--root-owner-group", folder / "deb", folder / "next.deb")
    return folder / "next.deb"


binary = files()
rpm_files(binary)
with Box(ROOT) as box:
    box.enter_network()
    asyncio.run(debian_package(box))
    asyncio.run(image(binary))
with Box(ROOT) as box:
    box.enter_network()
    asyncio.run(rpm_package(box, binary))
print("tests/package: all passed")
