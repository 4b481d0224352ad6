"""`python -m knowledge.safety "text" ["next message" …]`: print what the screen finds, a test's eye.

With several messages each is screened with the ones before it, and the watch is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

from knowledge.safety.decline import DeclineRules
from knowledge.safety.screen import Screen
from knowledge.safety.watch import Watch, WatchState


def main(messages: Sequence[str]) -> int:
    """Print the findings for `messages`; return 0, or 2 when there are none."""
    if not messages:
        print(__doc__, file=sys.stderr)
        return 2
    screen, decline, watch = Screen.load(), DeclineRules.load(), Watch.load()
    state: WatchState | None = None
    for number, text in enumerate(messages):
        finding = screen.check(text, messages[max(0, number - 2) : number])
        step = watch.step(state, finding, text, now=float(number))
        state = step.state
        print(f"› {text}")
        for name, value in asdict(finding).items():
            if value not in (None, (), False):
                print(f"    {name:12} {value}")
        declined = decline.check(text)
        if declined is not None:
            print(f"    {'decline':12} {declined.reason} ({declined.rule}: {declined.words!r})")
        if step.action != "none":
            print(f"    {'watch':12} {step.action} ({step.why}), wording {step.variant}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
