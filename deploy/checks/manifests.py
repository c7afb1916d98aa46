"""Checks of deploy/ that schemas cannot make: its parts fit each other, the sources, and closewatch's own constants.

Each check prints how many things it has seen; a check that saw none fails.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

import yaml
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
IMAGE = "ghcr.io/closewatch/closewatch"
EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?")


class Wrong(Exception):
    """Two parts do not fit each other."""


def need(condition, message):
    if not condition:
        raise Wrong(message)


def same(what, found, expected):
    need(found == expected, f"{what}: {found!r}, expected {expected!r}")


def seen(what, count):
    need(count, f"{what}: none seen")
    print(f"  {what}: {count}")


def read_yaml(path):
    return yaml.safe_load(path.read_text())


def manifests(path):
    return [document for document in yaml.safe_load_all(Path(path).read_text()) if document]


def of_kind(documents, kind, count=1):
    found = [document for document in documents if document["kind"] == kind]
    same(f"objects of kind {kind}", len(found), count)
    return found[0]


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def pinned(image, where):
    """The image has an exact version or a digest. Our own image has the version of Cargo.toml."""
    name, _, digest = image.partition("@")
    repository, _, tag = name.rpartition(":")
    need(digest or EXACT.fullmatch(tag), f"{where}: {image} is not pinned to an exact version")
    if repository == IMAGE:
        same(f"{where}: tag of {IMAGE}", tag, version())


# === times ===


def seconds(duration):
    """Parses the durations that deploy/ uses, in whole numbers: "0", "15s", "1m 30s", "1500ms". Fractions of a second round up."""
    text = str(duration)
    need(re.fullmatch(r"0|(\d+ *(h|m|s|ms) *)+", text), f"{text!r} is not a duration in whole h, m, s and ms")
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    return -(-sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+) *(ms|h|m|s)", text)) // 1000)


def constants():
    """The times of a drain that are constants in the source."""
    source = (ROOT / "src/commands/instance.rs").read_text()
    found = dict(re.findall(r"^const (\w+): Duration = Duration::from_secs\((\d+)\);", source, re.MULTILINE))
    names = ["GOODBYE", "FLUSH", "HASTY_FLUSH"]
    need(set(names) <= set(found), f"src/commands/instance.rs no longer has the constants {names}")
    return {name: int(found[name]) for name in names}


def drain_time(config):
    """The parts of the longest drain of a configuration, in order."""
    # The example has every key with its default; `tests/it/config.rs` checks that.
    defaults = tomllib.loads((ROOT / "config/example.toml").read_text())["timeouts"]
    times = {key: seconds(value) for key, value in (defaults | config.get("timeouts", {})).items() if key in ORDER}
    own = constants()
    return times | {"goodbye": own["GOODBYE"], "give_up": own["HASTY_FLUSH"], "flush": own["FLUSH"]}


ORDER = ["unready", "drain", "drain_jitter", "close_reply", "goodbye", "give_up", "flush", "final_scrape"]


def config_of(path):
    return tomllib.loads(path.read_text())


def port(address):
    return int(address.rsplit(":", 1)[1])


# === the checks ===


def image():
    path = DEPLOY / "Dockerfile"
    steps = DockerfileParser(fileobj=path.open("rb")).structure
    froms = [step for step in steps if step["instruction"] == "FROM"]
    same("stages of the Dockerfile", len(froms), 3)
    last = [step for step in steps if step["startline"] >= froms[-1]["startline"]]

    builder = froms[0]["value"].split()[0]
    tag = builder.rpartition(":")[2]
    need(EXACT.match(tag), f"{builder} is not pinned to an exact version")
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
    numbers = lambda text: [int(part) for part in re.match(r"[\d.]+", text)[0].split(".")]
    need(numbers(tag) >= numbers(rust), f"{builder} is older than the rust-version {rust} of Cargo.toml")

    same("base of the image", froms[-1]["value"], "scratch")
    same("instructions in the image", {step["instruction"] for step in last} - {"COMMENT"},
         {"FROM", "LABEL", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT"})
    value = lambda name: next(step["value"] for step in last if step["instruction"] == name)
    need(re.fullmatch(r"[1-9]\d*:[1-9]\d*", value("USER")), f"USER {value('USER')} is not a number, or is root")
    entrypoint = json.loads(value("ENTRYPOINT"))

    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignore if line.startswith("!")}
    need("*" in ignore, "Dockerfile.dockerignore does not leave out everything first")
    copies = [step for step in steps if step["instruction"] == "COPY"]
    same("the image's copies", [step["value"] for step in copies if step in last], ["--from=build /image/ /"])
    copied = {source for step in copies if not step["value"].startswith("--from=")
              for source in step["value"].split()[:-1]}
    for source in copied:
        need((ROOT / source).exists(), f"the Dockerfile copies {source}, which is not there")
    same("files that .dockerignore lets through", kept, copied)
    # The binary must be the one that deploy/dist packs, for the host's own target.
    build = next(step["value"] for step in steps if step["instruction"] == "RUN" and "cargo build" in step["value"])
    need("release_cargo build --release --locked --bin closewatch;" in build, "the Dockerfile builds another binary than benches/ measures")
    same("what the image starts", entrypoint, ["/usr/bin/closewatch"])
    # Cargo looks for the file of a target without a path, even if it does not build it, and these are not in the context.
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())
    same("targets of Cargo.toml without a path",
         [target["name"] for target in package["bench"] + package["test"] if "path" not in target], [])
    # Tests are not compiled into the image.
    sources = (file for file in (ROOT / "src").rglob("*.rs") if file.stem != "tests" and "tests" not in file.parts)
    outside = [str(file) for file in sources
               if re.search(r'include_(str|bytes)!\("(\.\./)*(config|docs|dashboards|deploy|tests)/', file.read_text())]
    same("sources that include files that are not in the build context", outside, [])
    seen("instructions of the Dockerfile", len([step for step in steps if step["instruction"] != "COMMENT"]))


def compose():
    folder = DEPLOY / "compose"
    stack = read_yaml(folder / "compose.yaml")
    services = stack["services"]
    mounts = {}
    for name, service in services.items():
        pinned(service["image"], f"compose service {name}")
        for key in ("read_only", "cap_drop", "security_opt", "restart"):
            need(service.get(key), f"compose service {name} has no {key}")
        for address in service.get("ports", []):
            need(address.startswith("127.0.0.1:"), f"compose service {name} is open beyond this host: {address}")
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            if source.startswith("."):
                need((folder / source).exists(), f"compose service {name} mounts {source}, which is not there")
                need(mount.endswith(":ro"), f"compose service {name} may write to {source}")
                mounts[name, target] = (folder / source).resolve()
            else:
                need(source in stack["volumes"], f"compose service {name} mounts the unknown volume {source}")
    seen("services", len(services))
    seen("mounted files and folders", len(mounts))

    context = (folder / services["closewatch"]["build"]["context"]).resolve()
    same("context of the image", context, ROOT)
    need((context / services["closewatch"]["build"]["dockerfile"]).is_file(), "no Dockerfile where compose looks for it")

    # Names and ports by which the services reach each other.
    prometheus = read_yaml(folder / "prometheus.yml")
    config = config_of(folder / "closewatch.toml")
    backend = services["backend"]["networks"]["stack"]["ipv4_address"]
    argument = lambda flag: services["backend"]["command"][services["backend"]["command"].index(flag) + 1]
    same("upstream in compose", config["upstream"], f"http://{backend}:{port(argument('--listen'))}")
    need(config["upstream"] in services["closewatch"]["environment"]["CLOSEWATCH_UPSTREAM"],
         "the default of CLOSEWATCH_UPSTREAM is not the upstream of closewatch.toml")
    targets = {target for job in prometheus["scrape_configs"] for static in job["static_configs"]
               for target in static["targets"]}
    same("targets of Prometheus", targets,
         {f"closewatch:{port(config['metrics']['listen'])}", f"{backend}:{port(argument('--admin'))}", "localhost:9090",
          "alertmanager:9093"})
    same("interval of scrapes", prometheus["global"]["scrape_interval"], "15s")

    rules = {path for (name, _), path in mounts.items() if name == "prometheus"} - {folder / "prometheus.yml"}
    same("rules that Prometheus is given", rules, set((DEPLOY / "prometheus").glob("closewatch.*.yml")))
    provisioned = [read_yaml(path) for (name, target), path in mounts.items()
                   if name == "grafana" and target.startswith("/etc/grafana/provisioning/")]
    providers = [provider for file in provisioned for provider in file.get("providers", [])]
    seen("providers of dashboards", len(providers))
    for provider in providers:
        folder_of = provider["options"]["path"]
        same(f"what Grafana finds in {folder_of}", mounts.get(("grafana", folder_of)), ROOT / "dashboards")
    sources = {source["type"]: source["url"] for file in provisioned for source in file.get("datasources", [])}
    same("data sources of Grafana", sources, {"prometheus": "http://prometheus:9090"})

    longest = sum(drain_time(config).values())
    need(longest < seconds(services["closewatch"]["stop_grace_period"]), f"a drain in compose may take {longest} s")
    final = seconds(config["timeouts"]["final_scrape"])
    need(final > 15, f"final_scrape in compose is {final} s, not longer than the scrape interval of 15 s")


def container(spec, config, where):
    """Checks the container of closewatch in any pod."""
    pinned(spec["image"], where)
    metrics = port(config["metrics"]["listen"])
    ports = {entry["name"]: entry["containerPort"] for entry in spec["ports"]}
    same(f"{where}: ports", ports, {"closewatch": port(config["listen"]), "cw-metrics": metrics})
    for name in ports:
        need(len(name) <= 15, f"{where}: the name of port {name} has more than 15 letters")
    for probe, path in (("startupProbe", "/livez"), ("readinessProbe", "/readyz")):
        get = spec[probe]["httpGet"]
        same(f"{where}: {probe}", (get["path"], ports.get(get["port"], get["port"])), (path, metrics))
    need("livenessProbe" not in spec, f"{where}: a liveness probe would end sessions")
    security = spec["securityContext"]
    for key, value in {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                       "capabilities": {"drop": ["ALL"]}}.items():
        same(f"{where}: {key}", security[key], value)
    need({"cpu", "memory"} <= set(spec["resources"]["requests"]), f"{where}: requests are not complete")
    need(config["admin"]["listen"].startswith("127.0.0.1:"), f"{where}: the admin address is open")


def kubernetes(rendered):
    documents = manifests(rendered)
    seen("objects of the example", len(documents))
    deployment = of_kind(documents, "Deployment")
    pod = deployment["spec"]["template"]
    spec = pod["spec"]
    sidecars = [it for it in spec["initContainers"] if it["name"] == "closewatch"]
    same("sidecars", len(sidecars), 1)
    sidecar, app = sidecars[0], spec["containers"][0]
    config_map = of_kind(documents, "ConfigMap")
    config = tomllib.loads(config_map["data"]["closewatch.toml"])
    same("ConfigMap of the sidecar", [it["configMap"]["name"] for it in spec["volumes"]], [config_map["metadata"]["name"]])
    same("configuration of the sidecar", sidecar["args"][1], sidecar["volumeMounts"][0]["mountPath"] + "/closewatch.toml")

    container(sidecar, config, "sidecar")
    same("restartPolicy of the sidecar", sidecar["restartPolicy"], "Always")
    need(sidecar["securityContext"]["runAsNonRoot"] and sidecar["securityContext"]["runAsUser"], "the sidecar may be root")
    binary = json.loads(next(line for line in (DEPLOY / "Dockerfile").read_text().splitlines()
                             if line.startswith("ENTRYPOINT")).removeprefix("ENTRYPOINT"))
    same("preStop of the sidecar", sidecar["lifecycle"]["preStop"], {"exec": {"command": [*binary, "drain", "--wait"]}})

    # The way from clients to closewatch to the application.
    service = of_kind(documents, "Service")
    front, metrics = port(config["listen"]), port(config["metrics"]["listen"])
    same("where the Service leads", [it["targetPort"] for it in service["spec"]["ports"]], [front])
    need(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items(), "the Service selects other pods")
    upstream = [it["value"] for it in sidecar["env"] if it["name"] == "CLOSEWATCH_UPSTREAM"]
    same("upstream of the sidecar", upstream, [f"http://127.0.0.1:{app['ports'][0]['containerPort']}"])

    # Scraping, network policy, rules.
    monitor = of_kind(documents, "PodMonitor")["spec"]
    endpoint = monitor["podMetricsEndpoints"][0]
    same("port that is scraped", {it["name"]: it["containerPort"] for it in sidecar["ports"]}[endpoint["port"]], metrics)
    policy = of_kind(documents, "NetworkPolicy")["spec"]
    same("ports that are let in", [it["port"] for rule in policy["ingress"] for it in rule["ports"]], [front, metrics])
    for what, selector in (("PodMonitor", monitor["selector"]), ("NetworkPolicy", policy["podSelector"])):
        need(selector["matchLabels"].items() <= pod["metadata"]["labels"].items(), f"the {what} selects other pods")
    groups = [group["name"] for it in documents if it["kind"] == "PrometheusRule" for group in it["spec"]["groups"]]
    expected = [group["name"] for file in sorted((DEPLOY / "prometheus").glob("closewatch.*.yml"))
                for group in read_yaml(file)["groups"]]
    same("groups of rules", sorted(groups), sorted(expected))
    seen("groups of rules", len(groups))

    termination(config, app, spec, endpoint)


def statefulset(rendered):
    """The second example: an application with a lifecycle of its own, and a configuration in place of the component's."""
    documents = manifests(rendered)
    folder = DEPLOY / "kubernetes/example-statefulset"
    spec = of_kind(documents, "StatefulSet")["spec"]["template"]["spec"]
    own = next(it for it in manifests(folder / "app/rooms.yaml") if it["kind"] == "StatefulSet")["spec"]["template"]["spec"]
    same("the lifecycle of the application", spec["containers"][0]["lifecycle"], own["containers"][0]["lifecycle"])
    same("its grace period", spec["terminationGracePeriodSeconds"], own["terminationGracePeriodSeconds"])
    sidecar = next(it for it in spec["initContainers"] if it["name"] == "closewatch")
    text = of_kind(documents, "ConfigMap")["data"]["closewatch.toml"]
    same("its configuration", text, (folder / "settings/closewatch.toml").read_text())
    config = tomllib.loads(text)
    container(sidecar, config, "sidecar of the StatefulSet")
    mounts = {it["mountPath"] for it in sidecar["volumeMounts"]}
    same("mounts of the sidecar", mounts, {"/etc/closewatch", str(Path(config["tls"]["cert"]).parent)})
    same("volumes", {it["name"] for it in spec["volumes"]}, {it["name"] for it in sidecar["volumeMounts"]})
    sleep = int(re.search(r"sleep (\d+);", spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])[1])
    longest, grace = sum(drain_time(config).values()), spec["terminationGracePeriodSeconds"]
    need(longest < sleep < grace, f"drain {longest} s, preStop of the application {sleep} s, pod {grace} s")
    app = own["containers"][0]["ports"][0]["containerPort"]
    same("upstreams of the sidecar", {route["upstream"] for route in config["routes"]}, {f"http://127.0.0.1:{app}"})
    print(f"  kept: a preStop of the application's own; {longest} s < {sleep} s < {grace} s")


def termination(config, app, spec, endpoint):
    """unready + drain + … + final_scrape < preStop sleep of the application < terminationGracePeriodSeconds."""
    times = drain_time(config)
    longest = sum(times.values())
    sleep, grace = app["lifecycle"]["preStop"]["sleep"]["seconds"], spec["terminationGracePeriodSeconds"]
    need(longest < sleep, f"a drain may take {longest} s, the application is told to end after {sleep} s")
    need(sleep < grace, f"preStop of the application takes {sleep} s, all of the termination {grace} s")
    interval = seconds(endpoint["interval"])
    need(times["final_scrape"] > interval, f"final_scrape is no longer than the interval of {interval} s")
    need(times["unready"] >= 5, "unready is shorter than load balancers take")

    # The page has the same numbers: in its table, in the order of the drain, and in the sum below it.
    page = (ROOT / "docs/kubernetes.md").read_text()
    rows = [(name, int(number)) for name, number in re.findall(r"^\| `(\w+)` \| (\d+) s \|", page, re.MULTILINE)]
    same("the table in docs/kubernetes.md", rows, [(name, times[name]) for name in ORDER])
    sums = f"{longest} s (drain) < {sleep} s (`preStop` of the application) < {grace} s (`terminationGracePeriodSeconds`)"
    need(sums in page, f"docs/kubernetes.md does not say: {sums}")
    print(f"  termination: {' + '.join(str(times[name]) for name in ORDER)} = {longest} s < {sleep} s < {grace} s")


def helm(folder):
    chart = read_yaml(DEPLOY / "helm/closewatch/Chart.yaml")
    same("appVersion of the chart", chart["appVersion"], version())
    dependency = read_yaml(DEPLOY / "helm/examples/sidecar/Chart.yaml")["dependencies"][0]
    same("version of the example's dependency", dependency["version"], chart["version"])
    dashboards = {path.name for path in (ROOT / "dashboards").glob("*.json")}
    rules = sorted(group["name"] for file in (DEPLOY / "prometheus").glob("closewatch.*.yml")
                   for group in read_yaml(file)["groups"])
    counts = {"gateways": 0, "sidecars": 0, "dashboards": 0, "groups of rules": 0}
    for path in sorted(Path(folder).glob("*.yaml")):
        name, documents = path.stem, manifests(path)
        carried = {key for it in documents if it["kind"] == "ConfigMap" for key in it["data"] if key.endswith(".json")}
        if carried:
            same(f"{name}: dashboards", carried, dashboards)
        groups = [group["name"] for it in documents if it["kind"] == "PrometheusRule" for group in it["spec"]["groups"]]
        if groups:
            same(f"{name}: groups of rules", sorted(groups), rules)
        counts["dashboards"] += len(carried)
        counts["groups of rules"] += len(groups)
        toml = path.with_suffix(".toml")
        if toml.exists():
            counts["sidecars" if helm_pod(name, documents, config_of(toml)) else "gateways"] += 1
    for what, count in counts.items():
        seen(what, count)


def helm_pod(name, documents, config):
    """Checks one rendered case with its pod, and returns whether closewatch is a sidecar there."""
    pod = of_kind(documents, "Deployment")["spec"]["template"]
    spec = pod["spec"]
    sidecars = [it for it in spec.get("initContainers", []) if it["name"] == "closewatch"]
    ours = (sidecars or spec["containers"])[0]
    container(ours, config, name)
    mounts = {it["name"]: it["mountPath"] for it in ours["volumeMounts"]}
    same(f"{name}: volumes", set(mounts), {it["name"] for it in spec["volumes"]})
    same(f"{name}: configuration", ours["args"][1], mounts["closewatch-config"] + "/closewatch.toml")

    longest, grace = sum(drain_time(config).values()), spec["terminationGracePeriodSeconds"]
    if sidecars:
        same(f"{name}: restartPolicy", ours["restartPolicy"], "Always")
        same(f"{name}: preStop", ours["lifecycle"]["preStop"]["exec"]["command"], ["/usr/bin/closewatch", "drain", "--wait"])
        sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        need(longest < sleep < grace, f"{name}: drain {longest} s, application {sleep} s, pod {grace} s")
    else:
        sleep = ours.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        need(longest + sleep < grace, f"{name}: a drain may take {longest} s after {sleep} s, of {grace} s")

    services = [it for it in documents if it["kind"] == "Service"]
    need(services, f"{name}: no Service")
    ports = {it["name"]: it["containerPort"] for it in ours["ports"]}
    for service in services:
        # The Service of an application selects by the application's own labels.
        need(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items(), f"{name}: a Service selects other pods")
        targets = [ports.get(it["targetPort"], it["targetPort"]) for it in service["spec"]["ports"]]
        wanted = "metrics" if service["spec"].get("clusterIP") == "None" else "listen"
        same(f"{name}: where a Service leads", targets,
             [port(config["metrics"]["listen"] if wanted == "metrics" else config["listen"])])
    for it in documents:
        selector = {"PodMonitor": lambda: it["spec"]["selector"], "PodDisruptionBudget": lambda: it["spec"]["selector"],
                    "NetworkPolicy": lambda: it["spec"]["podSelector"]}.get(it["kind"], lambda: None)()
        if selector:
            need(selector["matchLabels"].items() <= pod["metadata"]["labels"].items(), f"{name}: {it['kind']} selects other pods")
        for endpoint in it.get("spec", {}).get("podMetricsEndpoints", []) + it.get("spec", {}).get("endpoints", []):
            need(seconds(endpoint["interval"]) < seconds(config["timeouts"]["final_scrape"]), f"{name}: final_scrape is not longer than the scrape interval")
        if it["kind"] == "ServiceMonitor":
            found = [service for service in services if it["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()]
            same(f"{name}: Services that are scraped", [service["spec"].get("clusterIP") for service in found], ["None"])
    return bool(sidecars)


def systemd():
    unit = (DEPLOY / "systemd/closewatch.service").read_text()
    value = lambda key: re.search(rf"^{key}=(.*)$", unit, re.MULTILINE)[1]
    longest = sum(drain_time({}).values())
    need(longest < seconds(value("TimeoutStopSec")), f"a drain of the service may take {longest} s")
    same("exit code that is not tried again", value("RestartPreventExitStatus"), "64")
    file = value("ExecStart").rsplit(" ", 1)[1]
    same("what a reload checks first", value("ExecReload"), f"/usr/bin/closewatch check {file}")
    need("\nExecReload=/bin/sh -c 'kill -HUP $MAINPID'\n" in unit, "a reload is a SIGHUP")
    print(f"  drain of the service: {longest} s < TimeoutStopSec={value('TimeoutStopSec')}")


if __name__ == "__main__":
    try:
        {check.__name__: check for check in (image, compose, kubernetes, statefulset, helm, systemd)}[sys.argv[1]](*sys.argv[2:])
    except Wrong as wrong:
        sys.exit(f"{sys.argv[1]}: {wrong}")
