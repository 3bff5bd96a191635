"""What a training shows on the terminal: a bar while an epoch runs and one line when it has ended, on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """A context in which batches and epochs are reported; files and pipes get the lines only.

    Args:
        epochs: epochs in the whole training.
        steps: batches in an epoch.
        shown: False for silence.
    """

    def __init__(self, epochs: int, steps: int, *, shown: bool) -> None:
        self._console = Console(stderr=True, quiet=not shown, highlight=False)
        self._epochs = epochs
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar_shown = shown and self._console.is_terminal
        self._progress = Progress(*columns, console=self._console, transient=True, disable=not bar_shown)
        self._bar = self._progress.add_task("", total=steps)

    def __enter__(self) -> TrainingProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def batch(self, epoch: int, done: int, loss: float) -> None:
        """Report that batch `done` (1, 2, ...) of `epoch` (1, 2, ...) gave `loss`."""
        self._progress.update(self._bar, completed=done, description=f"epoch {epoch}/{self._epochs}  loss {loss:.4g}")

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Report an epoch that has ended, as it stands in the log."""
        values = "  ".join(f"{name} {value:.4g}" for name, value in {**line["terms"], **line["metrics"]}.items())
        self._console.print(
            f"epoch {line['epoch']}/{self._epochs}  {values}  ({line['seconds']:.1f} s)", soft_wrap=True
        )
