"""Training side by side: one process a core, each on one thread.

On several threads each, small matrices take minutes instead of seconds when something else wants a core: the threads wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def side_by_side(function: Callable[..., T], arguments: Iterable[tuple[Any, ...]]) -> list[T]:
    """The results of a function for each of some arguments, in their order; function and arguments must be picklable."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", n_jobs=os.cpu_count(), inner_max_num_threads=1):
        results: list[T] = Parallel()(delayed(function)(*each) for each in arguments)
    return results
