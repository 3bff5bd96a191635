"""Ray Data, for what one machine is too small for: connected while a block runs, and silent."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import CheckpointError, ConfigError, InputError

__all__ = ["ray_data"]

_ADVICE = "\nFailed to apply UDF transform after"
"""What Ray appends to the message of an error begins so."""


@contextmanager
def ray_data() -> Iterator[Any]:
    """The module `ray.data`, on the cluster that RAY_ADDRESS names, else on the processors of this machine.

    Where the caller is connected to Ray already, it stays so. No usage is reported and no dashboard started.

    Raises:
        ConfigError: Ray is not installed.
        InputError, ConfigError, CheckpointError: a task raised it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError(
            "Ray Data is not installed; the extra `scale` brings it: pip install 'neural-suite[scale]'."
        ) from error
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # what it has to say is in the log files of Ray's session
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = sys.stderr.isatty()
    context.print_on_execution_start = False
    context.raise_original_map_exception = True
    try:
        yield ray.data
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, (InputError, ConfigError, CheckpointError)):
            said = str(error.cause).partition(_ADVICE)[0]
            raise type(error.cause)(said) from error
        raise
    finally:
        if is_ours:
            ray.shutdown()
