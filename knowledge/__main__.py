"""`python -m knowledge check | build | ask | explain | stats | new | sign | report | tune-encoder`."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from knowledge.content import CONTENT, Content
from knowledge.errors import KnowledgeError

BUILDS = Path("build")


def _embedder(builds: Path) -> Any:
    """The exported encoder for the near-duplicate rule: exported now when it is not there yet."""
    from knowledge.build import export_encoder
    from knowledge.encoder import Encoder

    builds.mkdir(parents=True, exist_ok=True)
    return Encoder.load(export_encoder(builds), threads=2).encode


def _check(args: argparse.Namespace) -> int:
    from knowledge.check import check

    embed = None if args.fast else _embedder(args.builds)
    _, report = check(args.content, embed)
    for topic, count in report.per_topic.items():
        print(f"  {topic:34}{count:5}")
    for name, value in report.figures.items():
        print(f"{name}: {value}")
    for problem in report.problems:
        print(problem, file=sys.stderr)
    print(f"{len(report.problems)} problem(s)")
    return 1 if report.problems else 0


def _build(args: argparse.Namespace) -> int:
    from knowledge.build import activate, build

    folder = build(args.builds, args.content, force=args.force)
    if not args.stage:
        activate(args.builds, folder)
    print(f"{'staged' if args.stage else 'current'}: {folder.name}")
    return 0


def _parts(args: argparse.Namespace) -> tuple[Any, Any, Any]:
    from knowledge.answer import Answerer, Wording
    from knowledge.build import current
    from knowledge.contacts import Contacts
    from knowledge.encoder import Encoder
    from knowledge.load import load_decider
    from knowledge.safety.screen import Screen

    folder = current(args.builds)
    decider = load_decider(folder)
    root = folder / "content"
    screen = Screen.load(root, Encoder.load(folder / "encoder"), folder / "safety.npz")
    answerer = Answerer(decider.content, Wording(root), Contacts.load(root / "crisis" / "contacts.yml"), folder.name)
    return decider, screen, answerer


def _ask(args: argparse.Namespace) -> int:
    from knowledge.answer import Setting, contact_line

    decider, screen, answerer = _parts(args)
    setting = Setting(args.language, args.region)
    finding = screen.check(args.text)
    if finding.urgent:
        print(f"URGENT ({finding.category})")
        for contact in answerer.contacts.for_category(finding.category, args.region, args.language, finding.danger_signs):
            print(f"  {contact_line(contact)}")
        print(answerer.say.urgent.lead(finding.category, args.language, finding.subject))
        return 0
    language = "other" if finding.foreign else finding.language
    reply = answerer.reply(decider.decide(args.text, region=args.region, language=language), setting)
    print(f"[{reply['kind']}{', ' + reply['reason'] if reply['reason'] else ''}]")
    for line in reply["text"].split("\n"):
        print(textwrap.fill(line, 100, subsequent_indent="  ") if line else "")
    return 0


def _explain(args: argparse.Namespace) -> int:
    decider, screen, _ = _parts(args)
    finding = screen.check(args.text)
    print(f"screen      {finding.category or 'not urgent'}: {finding.why}")
    if finding.notices:
        print(f"notices     {', '.join(finding.notices)} {', '.join(finding.soon_topics)}")
    language = "other" if finding.foreign else finding.language
    decision = decider.decide(args.text, region=args.region, language=language)
    debug = decision.debug
    print(f"language    {language}")
    # Rasa alone knows the intents; the debug field of a reply has them
    print(f"intents     {debug['intents'] or 'not asked: the search decides alone'}")
    print(f"query       {debug.get('composed') or debug['query']}")
    if len(debug.get("readings", ())) > 1:
        print(f"readings    {' | '.join(debug['readings'])} ({debug['reading']} taken)")
    print(f"decision    {decision.kind} {decision.reason or ''} – {debug.get('because', '')}")
    if "confidence" in debug:
        print(f"confidence  {debug['confidence']}  {debug['features']}")
        print(f"entities    {debug['entities']}")
        print("candidates  score  cosine  bm25  signals  id (topic) – best match")
        for c in debug["candidates"]:
            print(f"  {c['score']:12.3f} {c['cosine']:7.3f} {c['bm25']:6.2f} {c['signals']:7.2f}   {c['id']} ({c['topic']}) – {c['matched'][:70]}")
    print(f"statements  {', '.join(i for i, _ in decision.statements) or '-'}")
    print(f"disagreement {decision.disagreement or '-'}")
    return 0


def _stats(args: argparse.Namespace) -> int:
    content = Content.load(args.content)
    print(f"statements {len(content.statements)}, sources {len(content.sources)}, facts {len(content.facts)}, disagreements {len(content.disagreements)}")
    for name in ("kind", "certainty"):
        print(name, dict(Counter(getattr(s, name) for s in content.statements.values())))
    print("read as", dict(Counter(s.read_as for s in content.sources.values())))
    print("regions", dict(Counter(r for s in content.statements.values() for r in (*s.regions,) or ("everywhere",))))
    return 0


def _report(args: argparse.Namespace) -> int:
    from knowledge.report import markdown

    args.out.write_text(markdown(Content.load(args.content)), "utf-8")
    print(f"wrote {args.out}")
    return 0


def _sign(args: argparse.Namespace) -> int:
    from knowledge.sign import sign

    names = sign(args.content, args.by, statements=args.statements or [], topics=args.topic or [], wording=args.wording)
    print(f"signed {len(names)}: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    return 0


def _tune_encoder(args: argparse.Namespace) -> int:
    from sentence_transformers import SentenceTransformer

    from knowledge import tuning
    from knowledge.build import weights_folder

    tuning.train(SentenceTransformer(str(weights_folder()), device="cpu"), Content.load(args.content))
    print(f"wrote {tuning.TUNED.name}: run `make build`, then `python -m evals tune`")
    return 0


def _new(args: argparse.Namespace) -> int:
    from knowledge.new import interview

    return interview(args.content)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m knowledge", description="The curated knowledge base.")
    parser.add_argument("--content", type=Path, default=CONTENT, help="content folder (default: the project's own)")
    parser.add_argument("--builds", type=Path, default=BUILDS, help="folder of builds (default: build)")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text)
        sub.set_defaults(run=run)
        return sub

    check = command("check", _check, "hold the content to every rule; exit code 1 when it breaks one")
    check.add_argument("--fast", action="store_true", help="leave out near-duplicates, the only rule that needs the encoder")
    build = command("build", _build, "make the build that processes serve from")
    build.add_argument("--force", action="store_true", help="make it again although it is there")
    build.add_argument("--stage", action="store_true", help="make it, but leave the current build in use")
    for name, run, text in (("ask", _ask, "answer a question in the terminal, with citations"), ("explain", _explain, "show why it is answered so")):
        sub = command(name, run, text)
        sub.add_argument("text")
        sub.add_argument("--region", default="US", choices=["US", "CA", "GB", "IE", "AU", "ES", "EU"])
        sub.add_argument("--language", default="en", choices=["en", "es"])
    command("stats", _stats, "counts of what is there")
    command("tune-encoder", _tune_encoder, "teach the encoder today's phrasings (needs the build extra; some minutes)")
    command("new", _new, "ask for a new statement, write its YAML, check it")
    sign = command("sign", _sign, "record a clinician's review of texts")
    sign.add_argument("--by", required=True, help='"Name, role"')
    sign.add_argument("--statements", nargs="*", help="statement ids")
    sign.add_argument("--topic", nargs="*", help="all statements and the clinician lines of these topics")
    sign.add_argument("--wording", action="store_true", help="the urgent wording and the safety rules")
    report = command("report", _report, "write docs/knowledge.md")
    report.add_argument("--out", type=Path, default=Path("docs/knowledge.md"))
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except KnowledgeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
