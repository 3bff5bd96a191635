"""`python -m tests.toys.volumes VERB ...`."""

from shared.cli import main
from tests.toys.volumes.app import APP

raise SystemExit(main(APP))
