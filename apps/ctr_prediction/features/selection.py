"""Which columns of a schema a model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from apps.ctr_prediction.features.feature_config import FeatureConfig
from apps.ctr_prediction.features.fields import kind_of
from apps.ctr_prediction.features.leaks import refuse_leaks
from shared.errors import ConfigError, did_you_mean
from shared.prepared import Column

__all__ = ["CROSSED", "STEPS", "campaign_columns", "crossed", "feature_columns", "made", "stepped"]

FEATURE_ROLES = ("context", "group", "item", "user")
FORCEABLE_ROLES = ("leak", "key")
UNIT_COLUMNS = ("block", "day")
"""Groups that preparation makes to cut by: a later day is always a new one."""
CROSSED = " x "
"""Between the names of two columns in the name of their cross."""
STEPS = " in steps"
"""Behind the name of a number in the name of the category made of it."""


def feature_columns(schema: Sequence[Column], config: FeatureConfig) -> tuple[Column, ...]:
    """The columns to learn from, in the order of the schema.

    Context, group, item and user columns are features, but for the units that splits cut by. Labels, weights and times
    never are; keys and leaks only where they are forced.

    Raises:
        ConfigError: a column that does not exist or cannot be a feature is asked for, a leak is not marked as one, or
            nothing is left.
    """
    named = {column.name: column for column in schema}
    for name in (*(config.include or ()), *config.exclude, *config.forced):
        if name not in named:
            raise ConfigError(f"features names the column {name!r}, which is not there.{did_you_mean(name, named)}")
    usable = [column.name for column in schema if _may_be(column)]
    asked = usable if config.include is None else config.include
    for name in (*asked, *config.forced):
        _refuse(named[name], name in config.forced)
    chosen = (set(asked) | set(config.forced)) - set(config.exclude)
    columns = tuple(column for column in schema if column.name in chosen)
    if not config.multi_valued:
        columns = tuple(column for column in columns if column.kind != "categories")
    refuse_leaks(columns, config.forced)
    if not columns:
        raise ConfigError(f"No column is left to learn from; the schema has {', '.join(named) or 'none'}.")
    crosses = _crosses(columns) if config.campaign_crosses else ()
    steps = _steps(columns) if config.number_steps else ()
    return (*columns, *crosses, *steps)


def campaign_columns(schema: Sequence[Column]) -> tuple[str, ...]:
    """Names of the columns that say whose campaign a row belongs to."""
    return tuple(column.name for column in schema if column.role == "group" and column.name not in UNIT_COLUMNS)


def _crosses(columns: Sequence[Column]) -> tuple[Column, ...]:
    """For each campaign column among the features and each multi-valued one, the column of their pairs."""
    several = [column for column in columns if column.kind == "categories"]
    pairs = [(name, column) for name in campaign_columns(columns) for column in several]
    return tuple(
        replace(column, name=f"{name}{CROSSED}{column.name}", source=(name, column.name)) for name, column in pairs
    )


def crossed(column: Column) -> tuple[str, str] | None:
    """The campaign column and the multi-valued column of a cross; None for any other column."""
    if column.kind == "categories" and len(column.source) == 2 and column.name == CROSSED.join(column.source):
        return column.source[0], column.source[1]
    return None


def _steps(columns: Sequence[Column]) -> tuple[Column, ...]:
    """For each number among the features the category of its step."""
    numbers = [column for column in columns if kind_of(column) == "number"]
    return tuple(
        replace(column, name=f"{column.name}{STEPS}", kind="category", source=(column.name,)) for column in numbers
    )


def stepped(column: Column) -> str | None:
    """The number whose step a column is; None for any other column."""
    if column.kind == "category" and len(column.source) == 1 and column.name == column.source[0] + STEPS:
        return column.source[0]
    return None


def made(column: Column) -> bool:
    """Whether a feature is made of other columns, and no table holds it."""
    return crossed(column) is not None or stepped(column) is not None


def _may_be(column: Column) -> bool:
    made_to_cut = column.role == "group" and column.name in UNIT_COLUMNS
    return column.role in FEATURE_ROLES and column.kind != "time" and not made_to_cut


def _refuse(column: Column, forced: bool) -> None:
    """Raise ConfigError where a column that was asked for can never be a feature."""
    if _may_be(column) or column.role == "leak" or (forced and column.role in FORCEABLE_ROLES):
        return  # a leak is refused where its reason is known
    raise ConfigError(
        f"Column {column.name!r} (role {column.role}, kind {column.kind}) cannot be a feature: labels, weights, times "
        f"and the units that splits cut by never are, and keys only by --features.forced."
    )
