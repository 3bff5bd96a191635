"""What long work shows on the terminal, on stderr: a bar while it runs; of a training one line for each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

__all__ = ["TrainingProgress", "counted"]

Item = TypeVar("Item")


def counted(items: Sequence[Item], label: str) -> Iterator[Item]:
    """The items one by one, with a bar on a terminal; files and pipes get nothing."""
    console = Console(stderr=True)
    yield from track(items, label, console=console, transient=True, disable=not console.is_terminal)


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
