"""What a comparison found: compare.json for a README to take its tables from, and compare.html to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from apps.ctr_prediction.comparison import compare_tables
from apps.ctr_prediction.comparison.recipes import Recipe, families
from apps.ctr_prediction.evaluate import BLOCK
from apps.ctr_prediction.report import ranks, sparsity
from apps.ctr_prediction.report.rates import NORMALISED_ENTROPY
from shared.atomic import write_json
from shared.crossval import fold_spread
from shared.evaluation import summarise
from shared.figures import per_group_bars
from shared.metrics.binary import AUC, ECE, LOG_LOSS
from shared.prepared import Manifest
from shared.report import ReportFigure, ReportTable, Section, render
from shared.table import Table, take

__all__ = ["Comparison"]

COMMAND = "python -m apps.ctr_prediction compare --data SET --out FOLDER"
METRICS = (AUC, LOG_LOSS, NORMALISED_ENTROPY, ECE)


@dataclass(frozen=True)
class Comparison:
    """The predictions of all models and what follows from them."""

    table: Table
    """Columns model, fold, seed, seconds, those of a prediction table, and nonzero and part_NAME, NaN where a model has
    none."""
    recipes: Sequence[Recipe]
    defaults: Recipe
    """Of `train`."""
    reference: str
    groups: Sequence[str]
    """Columns that name the campaign."""
    resamples: int

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every metric of every model with its interval, and its difference to the reference."""
        folds = len(np.unique(self.table["fold"])) > 1
        summary = summarise(
            self.table, METRICS, group=BLOCK, reference=self.reference, repeats="seed", n=self.resamples
        )
        return {**summary, "folds": fold_spread(AUC, self.table) if folds else {}}

    def sections(self) -> list[Section]:
        """The page, from top to bottom."""
        return [
            self._results(),
            *self._optimisers(),
            *self._ranks(),
            Section(
                "Living parts",
                ["A dead part hides behind a good AUC, because the others carry the ranking alone."],
                [compare_tables.liveness(self._networks)],
            ),
            *self._sparsity(),
            Section(
                "Recipes",
                ["Each is a YAML file that `train --config` reads as well."],
                [compare_tables.recipes(self.recipes, self.defaults)],
            ),
        ]

    def _results(self) -> Section:
        areas = {name: compare_tables.estimate(self.summary, name, AUC) for name in self.summary["models"]}
        worst = min(areas, key=lambda name: areas[name])
        bars = ReportFigure(
            per_group_bars(areas, "AUC"),
            "AUC of each model, the mean over its trainings, the worst first.",
            f"Bars of the AUC; the lowest is {AUC.format(areas[worst])}, of {worst}.",
        )
        return Section("Results", tables=[compare_tables.main(self.summary, self.table)], figures=[bars])

    def _optimisers(self) -> list[Section]:
        """The recipes that train the reference's network, side by side; nothing where it stands alone."""
        of_reference = [family for family in self._families if self.reference in [one.name for one in family]]
        return [
            Section(
                "Optimisers",
                ["One network, the same start for each seed, the same rows; the optimiser and its settings differ."],
                [compare_tables.optimisers(self.summary, family, self.defaults)],
            )
            for family in of_reference
        ]

    def _ranks(self) -> list[Section]:
        tables = [
            made
            for group in self.groups
            for made in (
                ranks.rank_table(self.table, group),
                ranks.against_table(self.table, group, self.reference, self.resamples),
            )
        ]
        return [Section("Model against model", ["Ties are told as ties."], tables)] if tables else []

    def _sparsity(self) -> list[Section]:
        """Share of non-zero weights against AUC of one network."""
        tables: list[ReportTable] = []
        figures: list[ReportFigure] = []
        for family in self._families:
            rows = self._rows_of([one.name for one in family])
            made = sparsity.sparsity_table(rows, self.resamples)
            tables.append(dataclasses.replace(made, caption=f"{made.caption}: the network of {family[0].name}"))
            figures += sparsity.sparsity_figures(rows)
        told = "Weights that are exactly zero need no memory. Only FTRL's l1 makes them."
        return [Section("Sparsity", [told], tables, figures)] if tables else []

    @property
    def _families(self) -> list[list[Recipe]]:
        return families(self.recipes)

    @property
    def _networks(self) -> Table:
        return self._rows_of([recipe.name for recipe in self.recipes])

    def _rows_of(self, models: Sequence[str]) -> Table:
        return take(self.table, np.isin(self.table["model"].astype(str), list(models)))

    def write(self, folder: Path, protocol: str, manifest: Manifest) -> None:
        """Write compare.json and compare.html, and say what the reference beats.

        Args:
            folder: of the comparison.
            protocol: which rows, held out how.
            manifest: of the prepared set.
        """
        made = self.sections()
        tables = [shown for section in made for shown in section.tables]
        stored: Mapping[str, Any] = {
            "protocol": protocol,
            "command": COMMAND,
            **self.summary,
            "recipes": {recipe.name: recipe.settings for recipe in self.recipes},
            "tables": [shown.to_dict() for shown in tables],
        }
        write_json(folder / "compare.json", stored)
        facts = {"data": f"{manifest.title} ({manifest.source})", "licence of the data": manifest.licence}
        page = folder / "compare.html"
        render(page, "Click models side by side", protocol, made, facts, synthetic=manifest.synthetic)
        for shown in tables:
            if shown.caption.startswith(ranks.AGAINST):
                print(shown.note)
        print(f"{folder / 'compare.json'}\n{page}")
