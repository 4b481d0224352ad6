"""Try a channel without an account.

python -m web.channels simulate telegram          a terminal that shows what the phone would show
python -m web.channels transcript telegram        a written conversation, for docs/channels/
python -m web.channels segments                   what answers by SMS cost, over a file of questions
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from web.channels.simulator.measure import cost, report
from web.channels.simulator.platform import Shown
from web.channels.simulator.run import Line, in_process, running
from web.channels.simulator.screen import ours, theirs
from web.channels.simulator.sender import PHONES
from web.logs import configure

HELP = "Write as a patient would. A number alone taps that button; /photo sends an image; Ctrl-D ends."
DOCS = Path("docs/channels")
# (what is shown, what the patient does); "tap 1" taps the first button of the last message that has one
SCRIPT: tuple[tuple[str, str], ...] = (
    ("A question", "Does ketamine help complex regional pain syndrome?"),
    ("A follow-up", "How long does the relief last?"),
    ("A suggestion is picked", "tap 1"),
    ("More of it", "MORE"),
    ("Where sources disagree", "Do experts disagree about ketamine for chronic pain?"),
    ("Advice on one's own case", "How many mg should I take at home?"),
    ("Spanish", "¿Qué riesgos tiene la ketamina para la vejiga?"),
    ("And back to English", "What are the risks of ketamine for the liver?"),
    ("An image", "/photo"),
    ("Help", "HELP"),
    ("Stop", "STOP"),
    ("A question after STOP", "What is ketamine?"),
    ("Start again", "START"),
    ("Somebody may be in danger", "I can't do this any more, I want to end my life"),
    ("A short answer", "no"),
    ("Safe again", "I'm safe now, my sister is with me"),
    ("Stop, then danger: STOP", "STOP"),
    ("Stop, then danger: danger", "my husband took too much ketamine and I can't wake him"),
    ("Deletion", "delete my data"),
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m web.channels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("simulate", "transcript"):
        command = commands.add_parser(name)
        command.add_argument("channel", choices=sorted(PHONES))
        command.add_argument(
            "--server", help="a running server, for example http://127.0.0.1:8080; default: in this process"
        )
        if name == "transcript":
            command.add_argument(
                "--out",
                type=Path,
                help="file to write; default: docs/channels/<channel>-transcript.md; - for the screen",
            )
    counted = commands.add_parser("segments")
    counted.add_argument("--server", help="a running server; default: in this process")
    counted.add_argument(
        "--questions", type=Path, default=Path("evals/themes.yml"), help="YAML list of entries with `q`"
    )
    chosen = parser.parse_args(arguments)
    configure("error")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    if chosen.command == "simulate":
        with _line(chosen.channel, chosen.server) as line:
            simulate(line)
        return 0
    if chosen.command == "segments":
        questions = [entry["q"] for entry in yaml.safe_load(chosen.questions.read_text("utf-8"))]
        with _line("sms", chosen.server) as line:
            print(report(cost(line, question) for question in questions))
        return 0
    with _line(chosen.channel, chosen.server) as line:
        text = transcript(line)
    if str(chosen.out) == "-":
        print(text)
    else:
        out = chosen.out or DOCS / f"{chosen.channel}-transcript.md"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
        print(f"wrote {out}")
    return 0


def _line(channel: str, server: str | None) -> AbstractContextManager[Line]:
    return running(channel, server) if server else in_process(channel)


class Phone:
    """Turns what is typed into webhooks, and remembers the buttons on the screen."""

    def __init__(self, line: Line):
        self.line = line
        self.buttons: tuple[tuple[str, str], ...] = ()

    def do(self, typed: str) -> tuple[str, list[Shown]]:
        """What the phone's own side shows, and what comes back."""
        number = typed.removeprefix("tap ")
        sender = self.line.sender
        if number.isdigit() and 1 <= int(number) <= len(self.buttons):
            label, value = self.buttons[int(number) - 1]
            said, hook = label, sender.tap(label, value)
        elif typed == "/photo":
            said, hook = "[image]", sender.media()
        else:
            said = number if number.isdigit() else typed
            hook = sender.text(said)
        shown = self.line.post(hook)
        self.buttons = next((s.buttons for s in reversed(shown) if s.buttons), self.buttons)
        return said, shown


def simulate(line: Line) -> None:
    """A chat in the terminal, until the input ends."""
    phone = Phone(line)
    print(HELP)
    while True:
        try:
            typed = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not typed:
            continue
        _, shown = phone.do(typed)
        _show(shown, line.sms)


def _show(shown: Iterable[Shown], sms: bool) -> None:
    any_shown = False
    for one in shown:
        any_shown = True
        print(ours(one, sms))
    if not any_shown:
        print("  (no answer)")


def transcript(line: Line) -> str:
    """The scripted conversation as Markdown."""
    phone = Phone(line)
    parts = [
        f"# A conversation on {line.name}",
        "",
        f"Made by `python -m web.channels transcript {line.name}`: real webhooks with real signatures through the "
        "running application, to a pretended platform that refuses what the real one refuses. Drawn as on a phone.",
        "",
    ]
    for title, typed in SCRIPT:
        said, shown = phone.do(typed)
        drawn = [theirs(said), *(ours(s, line.sms) for s in shown)] if shown else [theirs(said), "  (no answer)"]
        parts += [f"## {title}", "", "```text", *drawn, "```", ""]
    if line.platform.refused:
        parts += ["## Refused by the platform", "", *(f"- {r}" for r in line.platform.refused), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
