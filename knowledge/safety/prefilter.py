"""Which of many phrases can occur in a text, by its words alone.

Nearly every message lacks some word that nearly every phrase needs. Looking the words up once and leaving those phrases out
costs a fraction of running their expressions, and cannot change what is found: a phrase is left out only when it
could not match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from knowledge.safety.phrases import Needs

__all__ = ["Prefilter", "places"]


class Prefilter:
    """An index from words to the phrases that need them, as bit masks with one bit a phrase.

    Args:
        needs: for each phrase the sets of words it needs (see `Expander.needs`); an empty one is always possible.
    """

    def __init__(self, needs: Sequence[Needs]) -> None:
        self._slots: list[tuple[dict[str, int], int]] = []  # for each slot: word → phrases; phrases without that slot
        stems: set[str] = set()
        for slot in range(max(map(len, needs), default=0)):
            index: dict[str, int] = {}
            free = 0
            for bit, sets in enumerate(needs):
                if slot >= len(sets):
                    free |= 1 << bit
                    continue
                for word in sets[slot]:
                    index[word] = index.get(word, 0) | 1 << bit
                    if word.endswith("*"):
                        stems.add(word)
            self._slots.append((index, free))
        self._all = (1 << len(needs)) - 1
        self._stems: dict[str, list[str]] = {}  # first three letters of a word → the stems it may begin with
        for stem in sorted(stems):
            self._stems.setdefault(stem[:3], []).append(stem)

    def possible(self, words: Iterable[str]) -> int:
        """Return the mask of the phrases that may occur in a text of these words, "." and "?" among them."""
        keys = set(words)
        if any(map(str.isdigit, keys)):
            keys.add("#")
        if self._stems:
            keys.update([stem for key in tuple(keys) for stem in self._stems.get(key[:3], ()) if key.startswith(stem[:-1])])
        found = self._all
        for index, free in self._slots:
            mask = free
            for key in index.keys() & keys:
                mask |= index[key]
            found &= mask
        return found


def places(mask: int) -> list[int]:
    """Return the places of the bits of `mask`, lowest first."""
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return found
