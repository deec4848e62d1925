"""Reads an archive as a stranger would: with DuckDB, by nothing but its folders and files.

    python check_archive.py DATA [--rows N] [--archived-only N]

DATA is a data folder of Weir. Needs the `duckdb` wheel. Prints what it found as one JSON object; exits with 1 and the
reasons on standard error when the archive is not what docs and ledger promise.
"""

import argparse
import json
import pathlib
import sys

import duckdb

COLUMNS = {
    "document_id": "VARCHAR",
    "frame_id": "VARCHAR",
    "object_id": "VARCHAR",
    "event_number": "BIGINT",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "source_ip": "VARCHAR",
    "destination_ip": "VARCHAR",
    "user_name": "VARCHAR",
    "event_action": "VARCHAR",
    "event_outcome": "VARCHAR",
    "event_dataset": "VARCHAR",
    "decision": "VARCHAR",
    "object_bucket": "VARCHAR",
    "object_key": "VARCHAR",
    "object_version": "VARCHAR",
    "object_member": "VARCHAR",
    "frame_offset": "BIGINT",
    "parser_name": "VARCHAR",
    "parser_version": "VARCHAR",
    "parser_digest": "VARCHAR",
    "reference_time": "TIMESTAMP WITH TIME ZONE",
    "context": "VARCHAR",
    "event_original": "BLOB",
    "document": "VARCHAR",
    "log_type": "VARCHAR",
    "account": "VARCHAR",
    "region": "VARCHAR",
    "date": "VARCHAR",
}

# Each counts rows that must not be.
FAULTS = {
    "documents that are no JSON objects": "not json_valid(document) or json_type(document) <> 'OBJECT'",
    "ids that are not 32 hexadecimal digits": "not regexp_full_match(document_id, '[0-9a-f]{32}')"
    " or not regexp_full_match(frame_id, '[0-9a-f]{32}') or not regexp_full_match(object_id, '[0-9a-f]{32}')",
    "decisions of an unknown name": "decision not in ('indexed', 'archived_only')",
    "dates of a partition that are no dates": "try_cast(date as date) is null",
    "timestamps that are not the document's": "abs(epoch_us(timestamp)"
    " - epoch_us(try_cast(document ->> '$.\"@timestamp\"' as timestamptz))) > 1",
    "actions that are not the document's": "event_action <> (document ->> '$.event.action')"
    " and json_type(document, '$.event.action') = 'VARCHAR'",
    "frames with bytes and no context": "event_original is not null and context is null",
    "contexts that are no JSON": "context is not null and not json_valid(context)",
}


def check(data: pathlib.Path, rows: int | None, archived_only: int | None) -> tuple[dict, list[str]]:
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")
    # Only whole partitions of four levels: what lies elsewhere, nobody reads.
    files = str(data / "archive" / "log_type=*" / "account=*" / "region=*" / "date=*" / "*.parquet")
    source = f"read_parquet('{files}', hive_partitioning = true, hive_types_autocast = false)"
    database.execute(f"create view events as select * from {source}")

    problems = []
    columns = {row[0]: row[1] for row in database.execute("describe events").fetchall()}
    if columns != COLUMNS:
        problems.append(f"columns are {columns}, not {COLUMNS}")
    for fault, condition in FAULTS.items():
        count = database.execute(f"select count(*) from events where {condition}").fetchone()[0]
        if count:
            problems.append(f"{count} {fault}")

    def one(query: str) -> int:
        return database.execute(query).fetchone()[0]

    found = {
        "rows": one("select count(*) from events"),
        "documents": one("select count(distinct document_id) from events"),
        "archived_only": one("select count(*) from events where decision = 'archived_only'"),
        "frames_with_bytes": one("select count(*) from events where event_original is not null"),
        "objects": one("select count(distinct object_id) from events"),
        "by_partition": {
            "/".join(row[:4]): row[4]
            for row in database.execute(
                "select log_type, account, region, date, count(*) from events group by all order by all"
            ).fetchall()
        },
    }
    if found["rows"] != found["documents"]:
        problems.append(f"{found['rows']} rows for {found['documents']} documents")
    for name, expected in (("rows", rows), ("archived_only", archived_only)):
        if expected is not None and found[name] != expected:
            problems.append(f"{found[name]} {name}, expected {expected}")
    return found, problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="a data folder of Weir")
    parser.add_argument("--rows", type=int, help="rows that there must be")
    parser.add_argument("--archived-only", type=int, help="rows that there must be of events kept out of the index")
    arguments = parser.parse_args()
    found, problems = check(arguments.data, arguments.rows, arguments.archived_only)
    print(json.dumps(found))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
