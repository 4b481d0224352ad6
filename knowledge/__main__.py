"""`python -m knowledge check | build | ask | explain | stats`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from knowledge.content import CONTENT
from knowledge.errors import ContentError


def _check(args: argparse.Namespace) -> int:
    from knowledge.check import check

    embed = None
    try:
        _, report = check(args.content, embed)
    except ContentError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        print(f"{len(error.problems)} problem(s)", file=sys.stderr)
        return 1
    for topic, count in report.per_topic.items():
        print(f"  {topic:34}{count:5}")
    for name, value in report.figures.items():
        print(f"{name}: {value}")
    for problem in report.problems:
        print(problem, file=sys.stderr)
    print(f"{len(report.problems)} problem(s)", file=sys.stderr)
    return 1 if report.problems else 0


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m knowledge", description="The curated knowledge base.")
    parser.add_argument("--content", type=Path, default=CONTENT, help="content folder (default: the project's own)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="hold the content to every rule").set_defaults(run=_check)
    args = parser.parse_args(argv)
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
