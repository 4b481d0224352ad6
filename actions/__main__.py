"""`python -m actions --port 5055`: load the knowledge base, then serve the actions on the loopback, in one process.

rasa-sdk's own entry point listens on every address, asks nobody who they are, and starts workers that would each load the
knowledge base anew.
"""

from __future__ import annotations

import argparse
import logging

from rasa_sdk.endpoint import create_app
from rasa_sdk.executor import ActionExecutor

from actions.actions import decider
from knowledge import door


def main() -> None:
    """Serve until stopped. A broken build or a missing token raises before a port is open."""
    parser = argparse.ArgumentParser(prog="python -m actions")
    parser.add_argument("--port", type=int, default=5055)
    port = parser.parse_args().port
    logging.basicConfig(level=logging.WARNING)
    wanted = door.expected()
    decider()
    executor = ActionExecutor()
    executor.register_package("actions.actions")
    app = create_app(executor, cors_origins=[])
    door.close(app, wanted)
    app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main()
