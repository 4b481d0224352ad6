"""`python -m evals run | tune | ablation`: measure; calibrate and compare on the development split."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path

import yaml

from evals import run as measure
from evals.report import into_readme, markdown, plots
from tools.running import running
from web.settings import settings

ROOT = Path(__file__).parent


def _run(args: argparse.Namespace) -> int:
    results = measure.Results(args.split)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "var", KETAMINE_GUIDE_DEBUG_REPLIES="1") as server:
        measure.understanding(server, args.split, results)
        measure.spanish(server, args.split, results)
        measure.with_typos(server, args.split, results)
        measure.themes(server, results)
        measure.safety(server, args.split, results, settings().builds)
    width = max(map(len, results.shares))
    for name, share in results.shares.items():
        print(f"{name:{width}}  {share}")
    for name, number in results.numbers.items():
        print(f"{name:{width}}  {number:.3f}")
    if args.wrong:
        for name, cases in results.wrong.items():
            print(f"\n## {name} ({len(cases)})")
            print("\n".join(f"- {c}" for c in cases))
    failed = _gate(results) if args.split == "test" else []
    if args.write:
        (ROOT / "results.md").write_text(markdown(results, dt.date.today()), "utf-8")
        plots(results, ROOT / "plots")
        into_readme(results, ROOT.parent / "README.md")
    for line in failed:
        print(f"below its threshold: {line}", file=sys.stderr)
    print(f"{len(results.shares) + len(results.numbers) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _gate(results: measure.Results) -> list[str]:
    """Figures beyond their limit in thresholds.yml."""
    limits = yaml.safe_load((ROOT / "thresholds.yml").read_text("utf-8"))
    failed = []
    for name, limit in limits.items():
        value = results.shares[name].value if name in results.shares else results.numbers.get(name)
        if value is None:
            failed.append(f"{name}: not measured")
        elif ("min" in limit and value < limit["min"]) or ("max" in limit and value > limit["max"]):
            failed.append(f"{name}: {value:.3f}, limit {limit}")
    return failed


def _tune(_: argparse.Namespace) -> int:
    from evals.tune import tune, write
    from knowledge.load import load_decider

    write(tune(load_decider().search))
    return 0


def _ablation(_: argparse.Namespace) -> int:
    from evals.ablation import table
    from knowledge.load import load_decider

    print(table(load_decider().search))
    return 0


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evals")
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser("run", help="measure the running system")
    sub.add_argument("--split", choices=["development", "test"], default="test")
    sub.add_argument("--write", action="store_true", help="write results.md and the plots")
    sub.add_argument("--wrong", action="store_true", help="list the cases that went wrong; for the development split")
    sub.set_defaults(run=_run)
    commands.add_parser("tune", help="fit the calibration on the development split").set_defaults(run=_tune)
    commands.add_parser("ablation", help="what each part of the ranking is worth, on the development split").set_defaults(run=_ablation)
    args = parser.parse_args()
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
