"""`python -m tests.toys.table_stream VERB ...`."""

from shared.cli import main
from tests.toys.table_stream.app import APP

raise SystemExit(main(APP))
