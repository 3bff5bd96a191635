"""`python -m apps` lists the apps; `python -m apps APP VERB ...` and the script `suite APP VERB ...` run one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from shared.cli import guarded
from shared.cli import main as run_app
from shared.contract import discover, find_app, load


def main(argv: Sequence[str] | None = None) -> int:
    """List the apps, run the demo, or hand the words to one app's command line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m apps APP VERB [options] | python -m apps demo [--out DIR]\n")
        for name, app in discover().items():
            print(f"  {name:<20} {app.title}")
        return 0
    if words[0] == "demo":
        return guarded(lambda: load("apps.demo:main")(words[1:]))
    return guarded(lambda: run_app(find_app(words[0]), words[1:]))


if __name__ == "__main__":
    raise SystemExit(main())
