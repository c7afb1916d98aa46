"""Renders, lints and packages the Helm chart with Helm's own SDK, without a cluster: `chart.py OUT`.

For every case OUT gets NAME.yaml, with all objects, and NAME.toml, with the configuration. The SDK is Helm's Go code, so templates,
schema and packaging are those of `helm`. It does not see a cluster: `lookup` finds nothing, and no API server judges the objects.
"""

import base64
import copy
import gzip
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import helm_python
import yaml

HELM = Path(__file__).resolve().parents[1] / "helm"
CHART = HELM / "closewatch"
VALUES = Path(__file__).resolve().parent / "values"
sys.path.insert(0, str(HELM))
import generate  # noqa: E402

# Values that the schema must refuse: a schema that accepts everything checks nothing.
REFUSED = [
    {"upstream": "http://chat"},
    {"config": {"upstrem": "http://chat"}},
    {"config": {"timeouts": {"drian": "15s"}}},
    {"config": {"workers": "two"}},
    {"config": {"routes": [{"name": "chat", "upstream": "http://chat", "hosts": "chat"}]}},
    {"config": {"routes": [{"name": "chat"}]}},
    {"image": {"tag": "latest"}},
    {"monitoring": {"interval": "1m30"}},
    {"mode": "daemon"},
]
# Values that contradict each other, and a part of the message.
UPSTREAM = {"config": {"upstream": "http://chat:80"}}
CONFLICTS = [
    ({"config": {"upstream": "http://chat", "routes": [{"name": "a", "upstream": "http://a"}]}}, "config.upstream and config.routes"),
    ({"config": {"tls": {"cert": "/a", "key": "/b"}}, "tls": {"secretName": "edge"}}, "tls.secretName and config.tls.cert"),
    ({"config": {"upstream_tls": {"ca": "/a"}}, "upstreamTls": {"caSecretName": "ca"}}, "config.upstream_tls.ca is set"),
    ({"config": {"upstream_tls": {"cert": "/a"}}, "upstreamTls": {"clientSecretName": "c"}}, "config.upstream_tls.cert are both set"),
    ({"upstreamTls": {"caSecretName": "a", "caConfigMapName": "b"}}, "caSecretName and caConfigMapName"),
    ({"config": {"timeouts": {"drain": "1.5m"}}}, 'cannot add up "1.5m"'),
    ({"config": {"timeouts": {"drain": 15}}}, 'cannot add up "15"'),
    ({"config": {"timeouts": {"drain": None}}}, "config.timeouts.drain: the chart adds it up"),
    ({"config": {"metrics": {"listen": False}}}, "config.metrics.listen"),
    ({"config": {"otel": {"propagators": [["b3"], {"a": 1}]}}}, "cannot be in a list of values"),
    ({"terminationGracePeriodSeconds": 60}, "too short"),
    ({"lifecycle": {"preStop": {"exec": {"command": ["/bin/true"]}}}}, "set terminationGracePeriodSeconds"),
    ({"lifecycle": {"preStop": {"sleep": {"seconds": 20}}}, "terminationGracePeriodSeconds": 90}, "up to 96 s"),
    ({"config": {"timeouts": {"drain": "1m 5s", "drain_jitter": "1500ms", "close_reply": 0}}, "terminationGracePeriodSeconds": 99},
     "up to 113 s"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "podDisruptionBudget"),
    ({"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": 0}}, "targetCPUUtilizationPercentage or metrics"),
    ({"ingress": {"enabled": True}}, "ingress.hosts"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
    ({"mode": "sidecar", "ingress": {"enabled": True}}, "ingress.enabled: a sidecar"),
    ({"monitoring": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}}, "scrape the same pods"),
]
# A preStop hook of the application, in its own chart.
HOOKS = [
    ({"preStop": {"exec": {"command": ["/bin/stop"]}}}, "the application has a preStop hook"),
    ({"preStop": {"sleep": {"seconds": 30}}}, "sleeps for 30 s, and the drain of its sidecar needs 86 s"),
]


def fail(message):
    sys.exit(f"helm: {message}")


def merged(base, over):
    """`over` on top of `base`, table by table."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def rendered(chart, values):
    """All objects as text, and the notes apart."""
    files = chart.render(values, name="edge", namespace="chat")
    notes = [text for path, text in files.items() if path.endswith("NOTES.txt")]
    return "\n---\n".join(text for path, text in sorted(files.items()) if not path.endswith("NOTES.txt")), notes


def linted(path):
    report = helm_python.lint(str(path), {}, strict=True)
    problems = [it for it in report["messages"] if it["severity"] >= 2]
    if report["total_charts_linted"] != 1 or report["errors"] or problems:
        fail(f"lint: {report}")


def message_of(chart, values):
    try:
        rendered(chart, values)
    except helm_python.HelmError as error:
        return str(error)
    return None


# === the configuration ===


def expected(value):
    """A value of `config` as TOML has it."""
    match value:
        case bool():
            return "on" if value else "off"
        case dict():
            return {key: expected(item) for key, item in value.items() if item is not None}
        case list():
            return [expected(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def compare(name, toml, values):
    """The rendered configuration has exactly what the values have."""
    config = expected(values["config"])
    for key in ("upstream", "routes"):
        if not config.get(key):
            config.pop(key, None)
    folder = "/etc/closewatch-tls"
    if values["tls"]["secretName"]:
        config["tls"] = {"cert": f"{folder}/server.crt", "key": f"{folder}/server.key"}
    upstream = values["upstreamTls"]
    if upstream["caSecretName"] or upstream["caConfigMapName"]:
        config.setdefault("upstream_tls", {})["ca"] = f"{folder}/ca.crt"
    if upstream["clientSecretName"]:
        config.setdefault("upstream_tls", {}).update(cert=f"{folder}/client.crt", key=f"{folder}/client.key")
    found = tomllib.loads(toml)
    if found != config:
        fail(f"{name}: the configuration is {json.dumps(found)}, and its values are {json.dumps(config)}")
    # 1 and 1.0 are equal in Python, and not in TOML.
    if re.search(r"= -?\d+\.0$|\de[+-]\d", toml, re.MULTILINE):
        fail(f"{name}: a whole number is written as a fraction: {toml}")


# === every value has an effect ===


def leaves(values, paths, before=()):
    """The values of values.yaml that a file sets: a leaf there may be a whole table."""
    for key, value in values.items():
        path = (*before, key)
        if ".".join(path) in paths:
            yield path
        elif isinstance(value, dict):
            yield from leaves(value, paths, path)


def reset(values, below, path, defaults):
    """`values` with the default for one of them."""
    default, result = defaults, copy.deepcopy(values)
    parent = result[below] if below else result
    for key in path[:-1]:
        default, parent = default[key], parent[key]
    parent[path[-1]] = default[path[-1]]
    return result


def effects(cases):
    """Each value of the chart changes something in at least one case."""
    paths = [path for path, _, _ in generate.rows((CHART / "values.yaml").read_text()) if path]
    missing = set(paths)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for chart, values, below, text in cases:
        inner = values.get(below, {}) if below else values
        for path in leaves(inner, set(paths)):
            if ".".join(path) in missing:
                try:
                    changed = rendered(chart, reset(values, below, path, defaults))[0] != text
                except helm_python.HelmError:
                    changed = True
                if changed:
                    missing.discard(".".join(path))
    if missing:
        fail(f"values without an effect in any case: {', '.join(sorted(missing))}")
    return len(paths)


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    linted(CHART)

    # The package, as a registry would have it, is what is rendered: .helmignore and the linked files are tried with it.
    package = Path(helm_python.Chart.load(str(CHART)).save(str(out)))
    chart = helm_python.Chart.load(str(package))
    for values in REFUSED:
        try:
            chart.validate_schema(chart.merge_values(values))
        except helm_python.HelmError:
            continue
        fail(f"the values {values} are accepted")
    for values, text in CONFLICTS:
        said = message_of(chart, merged(UPSTREAM, values))
        if said is None or text not in said:
            fail(f"the values {values} should be refused with {text!r}, and are: {said}")

    # The application's chart gets its dependency as its values.yaml says, by `helm dependency build`.
    example = out / "examples/sidecar"
    shutil.copytree(HELM / "examples/sidecar", example, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    (out / "closewatch").symlink_to(CHART)
    helm_python.dependency_build(str(example), skip_refresh=True)
    linted(example)
    application = helm_python.Chart.load(str(example))
    for lifecycle, text in HOOKS:
        said = message_of(application, {"lifecycle": lifecycle})
        if said is None or text not in said:
            fail(f"the application's {lifecycle} should be refused with {text!r}, and is: {said}")

    own = yaml.safe_load((example / "values.yaml").read_text())
    cases = []
    for path in [*sorted((HELM / "examples").glob("*.yaml")), HELM / "examples/sidecar/values.yaml", *sorted(VALUES.glob("*.yaml"))]:
        values = yaml.safe_load(path.read_text())
        below = "closewatch" if "closewatch" in values else None
        name = "sidecar" if path.name == "values.yaml" else path.stem if path.parent.name == "examples" else f"check-{path.stem}"
        if below:
            values = merged(own, values)
        used = application if below else chart
        used.validate_schema(used.merge_values(values))
        text, notes = rendered(used, values)
        if not all(note.strip() for note in notes):
            fail(f"{name}: the notes are empty")
        objects = [document for document in yaml.safe_load_all(text) if document]
        tomls = [it["data"]["closewatch.toml"] for it in objects if "closewatch.toml" in it.get("data", {})]
        inner = values[below] if below else values
        configured = bool(inner.get("config"))
        if len(tomls) != configured:
            fail(f"{name}: {len(tomls)} configurations")
        if configured:
            compare(name, tomls[0], chart.merge_values(inner))
            (out / f"{name}.toml").write_text(tomls[0])
        (out / f"{name}.yaml").write_text(text)
        cases.append((used, values, below, text))
    # An empty release renders, to nothing.
    if any(yaml.safe_load_all(rendered(chart, {})[0])):
        fail("objects without an upstream, and without monitoring")

    count = effects(cases)
    # Helm keeps a release in a Secret: chart and manifest, compressed. A Secret holds 1 MiB.
    kept = json.dumps({"manifest": max((text for *_, text in cases), key=len), "chart": base64.b64encode(gzip.decompress(package.read_bytes())).decode()})
    size = len(base64.b64encode(gzip.compress(kept.encode())))
    if size > 1_000_000:
        fail(f"a release takes {size} bytes, more than a Secret holds")
    print(f"  lint: ok; values that the schema refuses: {len(REFUSED)}; conflicts that are reported: {len(CONFLICTS) + len(HOOKS)}")
    print(f"  cases: {len(cases)}; values, each with an effect in one of them: {count}; a release takes {size // 1024} KiB of 1024")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
