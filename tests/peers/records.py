"""Reads closewatch's records. Each has to fit the schema that is published."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PUBLISHED = Path(__file__).parent.parent.parent / "docs" / "record.schema.json"
SCHEMA = Draft202012Validator(json.loads(PUBLISHED.read_text()))


def read(line):
    """The record in a line of the close log."""
    record = json.loads(line)
    if (error := best_match(SCHEMA.iter_errors(record))) is not None:
        raise AssertionError(f"{error.json_path} does not fit {PUBLISHED.name}: {error.message}\n{line!r}")
    return record
