"""`python -m bot run …`: Rasa's own command line, whose server asks every caller for the internal token.

Rasa's `--auth-token` guards its API and leaves the REST channel open; a middleware of the whole application guards both.
"""

from typing import Any

# before Rasa: on import it looks for the name of every ufunc in all modules loaded by then, which takes seconds with Rasa's
import skops.io  # noqa: F401, I001
from rasa.__main__ import main as rasa_main
from rasa.core import run

from knowledge import door


def close_the_door() -> None:
    """Have every application that Rasa makes refuse callers without the token.

    Raises:
        RuntimeError: when there is no token.
    """
    wanted = door.expected()
    configure = run.configure_app

    def configured(*args: Any, **more: Any) -> Any:
        app = configure(*args, **more)
        door.close(app, wanted)
        return app

    run.configure_app = configured


if __name__ == "__main__":
    close_the_door()
    rasa_main()
