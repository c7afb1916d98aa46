"""Writes the parts of the chart that are made from other files: `generate.py [--check]`. It needs only Python 3.11.

- closewatch/README.md: tables of all values and of the templates for sidecars, from the comments of values.yaml and _sidecar.tpl.
- closewatch/values.schema.json: the keys below `config`, from config/example.toml, which has every key with its default.

`--check` writes nothing, and fails if a file differs.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

CHART = Path(__file__).resolve().parent / "closewatch"
EXAMPLE = CHART.parents[2] / "config/example.toml"


def fail(message):
    sys.exit(f"{Path(__file__).name}: {message}")


# === README ===


def rows(text):
    """The values in their order: (path, default, comment), and ("", "", comment) for a comment that stands alone."""
    parents, comment, found = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare:
            if comment:
                found.append(("", "", " ".join(comment)))
            comment = []
        elif bare.startswith("# "):
            comment.append(bare[2:])
        elif match := re.fullmatch(r"( *)([\w.-]+):(?: (.+))?", line):
            indent, key, default = len(match[1]) // 2, match[2], match[3]
            parents[indent:] = [key]
            if default is None:
                if comment:
                    found.append(("", "", " ".join(comment)))
            elif comment:
                found.append((".".join(parents), default, " ".join(comment)))
            else:
                fail(f"values.yaml:{number}: {'.'.join(parents)} has no comment")
            comment = []
        else:
            fail(f"values.yaml:{number}: neither a comment nor a key with its value on the same line: {line}")
    return found


HEAD = """\
<!-- Written by deploy/generate from values.yaml and templates/_sidecar.tpl: change it there. -->
# Helm chart of closewatch

    helm install edge deploy/helm/closewatch --set config.upstream=http://chat.chat.svc:80

Three examples are complete: [one route with TLS](../examples/tls.yaml), [five routes by host](../examples/hosts.yaml), and an
application's chart with [a sidecar](../examples/sidecar). [docs/kubernetes.md](../../../docs/kubernetes.md) says how a pod ends, and
what closewatch needs.

## Values
"""


def templates(text):
    """The comment at the top of _sidecar.tpl, and its named templates: (name, comment)."""
    comment = r"\{\{/\*((?:(?!\*/).)*)\*/\}\}"
    found = re.findall(comment + r'\n\{\{- define "(closewatch\.sidecar\.\w+)" -\}\}', text, re.DOTALL)
    if len(found) != text.count("define "):
        fail("_sidecar.tpl has a template without a comment")
    top = re.match(comment, text, re.DOTALL)[1]
    return " ".join(top.split()), [(name, " ".join(comment.split())) for comment, name in found]


def readme(values, sidecar):
    lines = [HEAD]
    in_table = False
    for path, default, comment in rows(values):
        if not path:
            lines += ([""] if in_table else []) + [comment, ""]
            in_table = False
            continue
        if not in_table:
            lines += ["| value | default | |", "|---|---|---|"]
            in_table = True
        cells = (f"`{path}`", f"`{default}`", comment)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    top, named = templates(sidecar)
    lines += ["", "## Templates for a sidecar", "", top, "", "| template | gives |", "|---|---|"]
    lines += [f"| `{name}` | {comment} |" for name, comment in named] + [""]
    return "\n".join(lines)


# === schema ===

# YAML reads `off` as a boolean, and the duration 0 as a number.
SCALARS = ["string", "number", "boolean"]


def kind(value):
    """The schema of one key, from its default: names and shapes. closewatch itself judges the values."""
    match value:
        case bool():
            fail(f"config/example.toml has a boolean, {value}: the chart writes booleans as \"on\" and \"off\"")
        case dict() if value:
            return table(value)
        case dict():
            # An empty default: keys are the user's own, such as close codes or names of headers.
            return {"type": "object", "additionalProperties": {"type": SCALARS}}
        case list():
            return {"type": "array"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case _:
            return {"type": [*SCALARS, "array"]}


def table(keys):
    return {"type": "object", "additionalProperties": False, "properties": {key: kind(value) for key, value in keys.items()}}


def config_schema(text):
    defaults = tomllib.loads(text)
    # Examples are lines that begin with "#" and no space.
    routes = tomllib.loads(re.sub(r"^#(?=\S)", "", text[text.index("#[[routes]]"):], flags=re.MULTILINE))["routes"]
    if len(routes) != 1:
        fail("config/example.toml no longer has one example of [[routes]]")
    route = table(routes[0])
    route["properties"] |= {"classes": kind({}), "upstream_tls": table(defaults["upstream_tls"])}
    route["required"] = ["name", "upstream"]
    schema = table(defaults)
    schema["properties"]["routes"] = {"type": "array", "items": route}
    return schema


def schema(current, example):
    values = json.loads(current)
    values["properties"]["config"] = config_schema(example)
    return json.dumps(values, indent=2) + "\n"


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        fail(f"unknown arguments {sys.argv[1:]}")
    schema_file = CHART / "values.schema.json"
    for path, text in (
        (CHART / "README.md", readme((CHART / "values.yaml").read_text(), (CHART / "templates/_sidecar.tpl").read_text())),
        (schema_file, schema(schema_file.read_text(), EXAMPLE.read_text())),
    ):
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            fail(f"{path.relative_to(Path.cwd())} is stale: run deploy/generate")


if __name__ == "__main__":
    main()
