"""`python -m apps.pulmonary_vessel VERB ...`."""

from apps.pulmonary_vessel.app import APP
from shared.cli import main

raise SystemExit(main(APP))
