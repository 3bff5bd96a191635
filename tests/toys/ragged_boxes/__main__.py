"""`python -m tests.toys.ragged_boxes VERB ...`."""

from shared.cli import main
from tests.toys.ragged_boxes.app import APP

raise SystemExit(main(APP))
