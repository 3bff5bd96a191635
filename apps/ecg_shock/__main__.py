"""`python -m apps.ecg_shock VERB ...`."""

from apps.ecg_shock.app import APP
from shared.cli import main

raise SystemExit(main(APP))
