"""Runs each program on logs in turns: `measure.py CLOSEWATCH ROUNDS LOG…`. `benches/report/run` calls it.

Each counts ended sessions by cause and code, in a process of its own and on two cores, and must count the same. jq is far slower: it counts
the first 64,000 lines, once. The peak is that of the process (VmHWM). Ratios are medians of the rounds', so a load that comes and goes
weighs on both.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median

DUCKDB = """
import duckdb, json, sys, time
duckdb.sql('SET threads = 2; SET enable_progress_bar = false')
began = time.monotonic()
found = duckdb.sql(f\"\"\"SELECT cause, code, count(*) FROM read_json('{sys.argv[1]}', format = 'newline_delimited',
    columns = {{cause: 'VARCHAR', code: 'INTEGER', event: 'VARCHAR'}}) WHERE event = 'websocket.closed' GROUP BY ALL\"\"\").fetchall()
print(json.dumps({'seconds': time.monotonic() - began, 'rows': found}))
"""
CHDB = """
import chdb, json, sys, time
began = time.monotonic()
found = chdb.query(f\"\"\"SELECT cause, code, count() FROM file('{sys.argv[1]}', JSONEachRow, 'cause String, code Nullable(UInt16), event String')
    WHERE event = 'websocket.closed' GROUP BY ALL SETTINGS input_format_skip_unknown_fields = 1, max_threads = 2\"\"\", 'JSONCompact')
seconds = time.monotonic() - began
rows = [[cause, code, int(count)] for cause, code, count in json.loads(str(found))['data']]
print(json.dumps({'seconds': seconds, 'rows': rows}))
"""
JQ = 'reduce (inputs | select(.event == "websocket.closed")) as $r ({}; .["\\($r.cause) \\($r.code)"] += 1)'
JQ_LINES = 64_000


def counts(name, output):
    """The sessions by cause and code, and the seconds without the program's start if it tells them."""
    found = json.loads(output)
    if name == "closewatch":
        rows, seconds = [[row["cause"], row["code"], row["count"]] for row in found["endings"]], None
    elif name == "jq":
        rows, seconds = [[*key.split(" "), count] for key, count in found.items()], None
    else:
        rows, seconds = found["rows"], found["seconds"]
    total = {}
    for cause, code, count in rows:
        total[cause, str(code)] = total.get((cause, str(code)), 0) + count
    return total, seconds


def measured(name, command):
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    took = time.monotonic() - began
    if status != 0:
        sys.exit(f"measure.py: {command[0]} has failed")
    found, seconds = counts(name, output)
    return found, (took, seconds or took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compare(log, records, closewatch, rounds):
    commands = {
        "closewatch": [closewatch, "report", "--json", log],
        "DuckDB": [sys.executable, "-c", DUCKDB, log],
        "chdb": [sys.executable, "-c", CHDB, log],
    }
    results = {name: [] for name in commands}
    wanted = None
    for _ in range(rounds):
        for name, command in commands.items():
            found, figures = measured(name, command)
            results[name].append(figures)
            wanted = wanted or found
            if found != wanted:
                sys.exit(f"measure.py: {name} counts {found}, and closewatch {wanted}")
    print(f"\n{records:,} records, {Path(log).stat().st_size / 1e9:.2f} GB; medians of {rounds}\n")
    print("| | seconds | without start | records a second | CPU s | peak MiB | seconds to closewatch's | CPU to closewatch's |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rows in results.items():
        seconds, alone, cpu, peak = (median(column) for column in zip(*rows))
        pairs = list(zip(rows, results["closewatch"]))
        # The stricter comparison: without the start of Python.
        slower, dearer = median(it[1] / own[1] for it, own in pairs), median(it[2] / own[2] for it, own in pairs)
        print(
            f"| {name} | {seconds:.2f} | {alone:.2f} | {records / alone:,.0f} | {cpu:.2f} | {peak:.0f} | {slower:.2f} × | {dearer:.2f} × |",
            flush=True,
        )


def with_jq(log, closewatch):
    part = Path(log).with_name("first.jsonl")
    with open(log, "rb") as lines, open(part, "wb") as first:
        first.writelines(islice(lines, JQ_LINES))
    wanted, own = measured("closewatch", [closewatch, "report", "--json", str(part)])
    found, figures = measured("jq", ["jq", "--null-input", JQ, str(part)])
    if found != wanted:
        sys.exit(f"measure.py: jq counts {found}, and closewatch {wanted}")
    print(
        f"\njq, the first {JQ_LINES:,} records: {figures[0]:.2f} s, {JQ_LINES / figures[0]:,.0f} records a second, CPU {figures[2]:.2f} s, "
        f"peak {figures[3]:.0f} MiB; closewatch: {own[0]:.2f} s, CPU {own[2]:.2f} s, peak {own[3]:.0f} MiB"
    )


def main():
    closewatch, rounds, logs = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    # Two cores, however many there are.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    for log in logs:
        with open(log, "rb") as lines:
            records = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
        compare(log, records, closewatch, rounds)
    if shutil.which("jq"):
        with_jq(logs[0], closewatch)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
