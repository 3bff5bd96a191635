"""`python -m apps.ctr_prediction VERB ...`."""

from apps.ctr_prediction.app import APP
from shared.cli import main

raise SystemExit(main(APP))
