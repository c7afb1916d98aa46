"""Runs each program on one log in turns: `measure.py LOG CLOSEWATCH ROUNDS`. `benches/report/run` calls it.

Each counts ended sessions by cause and code, in a process of its own, and must count the same. The peak is that of the process (VmHWM).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

DUCKDB = """
import duckdb, json, sys
found = duckdb.sql(f\"\"\"SELECT cause, code, count(*) FROM read_json('{sys.argv[1]}', format = 'newline_delimited',
    columns = {{cause: 'VARCHAR', code: 'INTEGER', event: 'VARCHAR'}}) WHERE event = 'websocket.closed' GROUP BY ALL\"\"\").fetchall()
print(json.dumps(found))
"""
CHDB = """
import chdb, json, sys
found = chdb.query(f\"\"\"SELECT cause, code, count() FROM file('{sys.argv[1]}', JSONEachRow, 'cause String, code Nullable(UInt16), event String')
    WHERE event = 'websocket.closed' GROUP BY ALL SETTINGS input_format_skip_unknown_fields = 1\"\"\", 'JSONCompact')
print(json.dumps([[cause, code, int(count)] for cause, code, count in json.loads(str(found))['data']]))
"""
JQ = 'reduce (inputs | select(.event == "websocket.closed")) as $r ({}; .["\\($r.cause) \\($r.code)"] += 1)'


def counts(name, output):
    found = json.loads(output)
    if name == "closewatch":
        rows = [[row["cause"], row["code"], row["count"]] for row in found["endings"]]
    elif name == "jq":
        rows = [[*key.split(" "), count] for key, count in found.items()]
    else:
        rows = found
    total = {}
    for cause, code, count in rows:
        total[cause, str(code)] = total.get((cause, str(code)), 0) + count
    return total


def measured(command):
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"measure.py: {command[0]} has failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output


def main():
    log, closewatch, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    commands = {
        "closewatch": [closewatch, "report", "--json", log],
        "DuckDB": [sys.executable, "-c", DUCKDB, log],
        "chdb": [sys.executable, "-c", CHDB, log],
    }
    if shutil.which("jq"):
        commands["jq"] = ["jq", "--null-input", JQ, log]
    with open(log, "rb") as lines:
        records = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    wanted, results = None, {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            *result, output = measured(command)
            results[name].append(result)
            found = counts(name, output)
            wanted = wanted or found
            if found != wanted:
                sys.exit(f"measure.py: {name} counts {found}, and closewatch {wanted}")
    print(f"{records:,} records, {Path(log).stat().st_size / 1e6:,.0f} MB; medians of {rounds}\n")
    print("| | seconds | records a second | CPU s | peak MiB |\n|---|---|---|---|---|")
    for name, found in results.items():
        seconds, cpu, peak = (median(column) for column in zip(*found))
        print(f"| {name} | {seconds:.2f} | {records / seconds:,.0f} | {cpu:.2f} | {peak:.0f} |")


if __name__ == "__main__":
    main()
