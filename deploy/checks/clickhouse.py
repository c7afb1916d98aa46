#!/usr/bin/env python3
"""Runs deploy/clickhouse on a real ClickHouse, in this process: `clickhouse.py CLOSEWATCH FOLDER`.

The close log of a demo is loaded by the very files that a server is given. What the SQL counts must be what `closewatch report --json`
counts, of the log and of the table's own export. The same records as the collector's exporter writes them must count the same. Every
query of the dashboard must run.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from chdb.session import Session

ROOT = Path(__file__).resolve().parents[2]
SQL = ROOT / "deploy/clickhouse"
ALL = "from = '2000-01-01T00:00:00Z', to = '2100-01-01T00:00:00Z', routes = ''"
# Both sides say their quantiles to 1 %.
ERROR = 0.0201
# Tables that had rows to compare.
SEEN = set()
TABLES = {"endings", "mismatches", "handshake_failures", "busiest", "bars of lifetime", "bars of idle"}
# The table of the collector's ClickHouse exporter, as far as collector.sql reads it.
OTEL_LOGS = """
CREATE TABLE closewatch.otel_logs (
    Timestamp DateTime64(9), TraceId String, SpanId String, SeverityText LowCardinality(String), Body String,
    ResourceAttributes Map(LowCardinality(String), String), LogAttributes Map(LowCardinality(String), String)
) ENGINE = MergeTree ORDER BY Timestamp
"""


def statements(path):
    text = re.sub(r"^--.*$|^ +--.*$", "", path.read_text(encoding="utf-8"), flags=re.M)
    return [one.strip() for one in re.split(r";\s*\n", text) if one.strip()]


class Engine:
    def __init__(self, folder):
        self.session = Session(str(folder))
        for name in ("records.sql", "lines.sql", "report.sql"):
            self.run_file(name)

    def run_file(self, name):
        for statement in statements(SQL / name):
            self.session.query(statement)

    def rows(self, query):
        text = str(self.session.query(query + " FORMAT JSONEachRow"))
        return [json.loads(line) for line in text.splitlines() if line]

    def view(self, name):
        return self.rows(f"SELECT * FROM closewatch.{name}({ALL})")


def differing(what, found, wanted):
    sys.exit(f"clickhouse.py: {what}: SQL has\n  {found}\nand the report\n  {wanted}")


def same(what, found, wanted):
    """The same rows, in whatever order rows that count the same have."""
    key = lambda row: json.dumps(row, sort_keys=True)
    found, wanted = sorted(found, key=key), sorted(wanted, key=key)
    if found != wanted:
        differing(what, found, wanted)
    if wanted:
        SEEN.add(what)


def top(what, found, wanted):
    """Twenty rows of most abnormal ends; of rows that count the same as the last, either side may show others."""
    pick = lambda rows: {row["name"]: [row["sessions"], row["abnormal"]] for row in rows if row["name"] != "others"}
    found, wanted = pick(found), pick(wanted)
    order = lambda rows: sorted(([abnormal, sessions] for sessions, abnormal in rows.values()), reverse=True)
    if not wanted or order(found) != order(wanted):
        differing(what, found, wanted)
    last = order(wanted)[-1] if len(wanted) >= 20 else [-1, -1]
    above = lambda rows: {name: count for name, count in rows.items() if count[::-1] > last}
    if above(found) != above(wanted):
        differing(what, found, wanted)


def compare(engine, report):
    """Each view against the table of the report."""
    names = lambda rows, **changed: [{changed.get(key, key): value for key, value in row.items()} for row in rows]
    same("endings", names(engine.view("endings"), sessions="count"), report["endings"])
    same("mismatches", names(engine.view("mismatches"), sessions="count"), report["mismatches"])
    failures = names(engine.view("handshake_failures"), handshakes="count")
    same("handshake_failures", failures, report["handshake_failures"])
    busiest = [[row["at"].replace(" ", "T"), row["ends"], row["abnormal"]] for row in engine.view("busiest")]
    same("busiest", busiest, [[row["at"][:19], row["ends"], row["abnormal"]] for row in report["busiest"]])
    for view in ("clients", "upstreams", "instances"):
        top(view, engine.view(view), report[view])
    bars = engine.view("bars")
    for of, table in (("lifetime", "lifetimes"), ("idle", "idle")):
        wanted = [
            [number, count] for number, count in enumerate(report[table]["counts"]) if count > 0
        ]
        same(f"bars of {of}", [[row["number"], row["sessions"]] for row in bars if row["of"] == of], wanted)
        [quantiles] = [row for row in engine.view("quantiles") if row["of"] == of]
        for wanted in report[table]["quantiles"]:
            found = quantiles["p%g" % (wanted["share"] * 100)]
            if abs(found - wanted["seconds"]) > ERROR * max(found, wanted["seconds"]) + 0.001:
                differing(f"quantiles of {of}", quantiles, report[table]["quantiles"])
    reconnects(engine.view("reconnects"), report["reconnects"])


def reconnects(found, wanted):
    """The report gives an opening to one end, SQL to every end before it: the two differ for clients with several sessions at once."""
    found, wanted = (sorted(rows, key=lambda row: row["class"]) for rows in (found, wanted))
    if [[row["class"], row["ended"]] for row in found] != [[row["class"], row["ended"]] for row in wanted]:
        differing("reconnects", found, wanted)
    for mine, theirs in zip(found, wanted):
        if not 0 <= mine["came_back"] - theirs["came_back"] <= 0.02 * theirs["came_back"] + 1:
            differing("reconnects", mine, theirs)


def attributes(pairs):
    value = lambda given: next(iter(given.values()))
    text = lambda given: {True: "true", False: "false"}.get(given, str(given)) if isinstance(given, bool) else str(given)
    return {pair["key"]: text(value(pair["value"])) for pair in pairs}


def insert_exported(engine, path):
    """Rows as the collector's exporter makes them of OTLP."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        for of in json.loads(line)["resourceLogs"]:
            for record in (record for scope in of["scopeLogs"] for record in scope["logRecords"]):
                seconds, nanos = divmod(int(record["timeUnixNano"]), 10**9)
                rows.append(
                    {
                        "Timestamp": f"{seconds}.{nanos:09}",
                        "TraceId": record.get("traceId", ""),
                        "SpanId": record.get("spanId", ""),
                        "SeverityText": record["severityText"],
                        "Body": record["body"]["stringValue"],
                        "ResourceAttributes": attributes(of["resource"]["attributes"]),
                        "LogAttributes": attributes(record["attributes"]),
                    }
                )
    lines = "\n".join(json.dumps(row) for row in rows)
    engine.session.query("INSERT INTO closewatch.otel_logs FORMAT JSONEachRow " + lines)


def dashboard(engine):
    """Every query of the dashboard, its variables replaced as Grafana replaces them."""
    found = json.loads((SQL / "dashboard.json").read_text(encoding="utf-8"))
    given = {"${__from:date:iso}": "2000-01-01T00:00:00.000Z", "${__to:date:iso}": "2100-01-01T00:00:00.000Z", "${route:regex}": ".*"}
    panels = [inner for panel in found["panels"] for inner in [panel, *panel.get("panels", [])] if inner["type"] != "row"]
    queries = [target["rawSql"] for panel in panels for target in panel["targets"]]
    if not panels or len(queries) < len(panels):
        sys.exit(f"clickhouse.py: {len(panels)} panels of the dashboard have {len(queries)} queries")
    queries += [variable["query"] for variable in found["templating"]["list"] if variable["type"] == "query"]
    for query in queries:
        for name, value in given.items():
            query = query.replace(name, value)
        if "$" in query or not engine.rows(query):
            sys.exit(f"clickhouse.py: the dashboard asks in vain: {query}")
    return len(queries)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: clickhouse.py CLOSEWATCH FOLDER")
    closewatch, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    log, exported = folder / "close.jsonl", folder / "table.jsonl"
    log.unlink(missing_ok=True)
    demo = ["demo", "--admin", "127.0.0.1:0", "--rounds", "2", "--rate", "20", "--closes", str(log)]
    subprocess.run([closewatch, *demo], check=True, stdout=subprocess.DEVNULL)
    report = lambda path: json.loads(subprocess.run([closewatch, "report", "--json", path], check=True, stdout=subprocess.PIPE).stdout)
    generated = folder / "generated.jsonl"
    with generated.open("w") as output:
        subprocess.run([sys.executable, ROOT / "benches/report/generate.py", "20000"], check=True, stdout=output)

    counted = 0
    for path in (log, generated):
        engine = Engine(folder / f"database-{path.stem}")
        engine.session.query("TRUNCATE TABLE closewatch.records")
        engine.session.query(f"INSERT INTO closewatch.lines SELECT line FROM file('{path.resolve()}', LineAsString)")
        wanted = report(path)
        compare(engine, wanted)
        exported.write_text(str(engine.session.query("SELECT * FROM closewatch.records ORDER BY ended_at FORMAT JSONEachRow")))
        again = report(exported)
        for table in ("records", "handshakes", "unread_lines", "findings", "notes", "endings", "idle", "lifetimes", "mismatches", "clients", "reconnects"):
            if again[table] != wanted[table]:
                differing(f"{table} of the table's export", again[table], wanted[table])
        if path == log:
            asked = dashboard(engine)
        counted += wanted["records"] + wanted["handshakes"]
        engine.session.cleanup()

    data = ROOT / "tests/data/exported"
    engine = Engine(folder / "database-collector")
    engine.session.query("TRUNCATE TABLE closewatch.records")
    engine.session.query("DROP TABLE IF EXISTS closewatch.records_of_otel_logs")
    engine.session.query("DROP TABLE IF EXISTS closewatch.otel_logs")
    engine.session.query(OTEL_LOGS)
    engine.run_file("collector.sql")
    insert_exported(engine, data / "otlp.jsonl")
    compare(engine, report(data / "otlp.jsonl"))
    if SEEN != TABLES:
        sys.exit(f"clickhouse.py: nothing was there to compare: {TABLES - SEEN}")
    print(f"  {counted} records: SQL counts what the report counts; {asked} queries of the dashboard run")


if __name__ == "__main__":
    main()
