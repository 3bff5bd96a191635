"""ECG with ventricular fibrillation, flutter and tachycardia: VFDB, CUDB, MITDB, or any WFDB database with rhythms.

Two layouts are read, and may be mixed:

- databases side by side (`vfdb/`, `cudb/`, `mitdb/`) with tables above them: `intervals.csv` (rhythms of records that
  have no .atr file), `records.csv` (column `fold`), `second_reader_8s.csv` (marks of a second reader);
- folders of records as PhysioNet gives them, with their .atr files: rhythm changes ("+"), beats, or onsets ("[", "]").

Every window lies inside one rhythm. Its class comes from the label and from what is measured in it (`ecg_labels`). The
traps of these labels, and what is done about each:

1. "(VT" runs on over fibrillation in several VFDB records: such windows are no regular rhythm and become S_VTVF, kept
   apart from S_VT and not scored.
2. VT carries no rate: below 150/min it is I_SLOWVT. A detector trained on "VT = shock" learns to shock slow VT.
3. "(ASYS" is often not flat: above 0.2 mV it is U_ASYSLBL, no negative.
4. "(NOISE" hides readable rhythms: X_NOISE, not scored. What lies before the first mark of a record: X_UNLABELLED.
5. CUDB marks fibrillation only. All else there (U_NONVF) holds VT, pacing and unmarked fibrillation: never a negative.
   5 s on both sides of an onset are X_EDGE, so an episode of 10 s or less gives no window of fibrillation.
6. Missing samples are coded as the lowest integer and become NaN; over 10 % in a window: X_INVALID.
7. FLAC-packed signals name a rate of 96 kHz: the header's counts.
8. Some records are of one patient, mostly undocumented (`ecg_patients`): the split "folds" keeps patients whole. The
   split "leaky-random" cuts them on purpose, to show what a random split pretends.
9. A second reader disagrees with some labels: column `reader2`, so that scores can be given with and without them.
10. Gains of VFDB and CUDB are doubtful (up to 16 mV peak to peak); they stay as the headers say.
11. Database and class go together (MITDB gives most sinus windows, CUDB only fibrillation): column `db`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep.contract import Source
from shared.errors import ConfigError

__all__ = ["CITATION", "SOURCE", "EcgShockConfig"]

CITATION = (
    "VFDB: Greenwald SD, MS thesis, MIT, 1986. CUDB: Nolle FM et al., Computers in Cardiology 13:515-518, 1986. "
    "MITDB: Moody GB, Mark RG, IEEE Eng Med Biol Mag 20(3):45-50, 2001. "
    "PhysioNet: Goldberger AL et al., Circulation 101(23):e215-e220, 2000."
)


@dataclass(frozen=True)
class EcgShockConfig:
    """How windows are cut and dealt into folds."""

    window_s: float = 5.0
    """Length of a window in seconds, 2 to 10."""
    step_s: float | None = None
    """Seconds from one window to the next inside a rhythm; None: the length, so that windows do not overlap."""
    databases: tuple[str, ...] = ()
    """Names of the databases to take; empty: all that are found."""
    folds: int = 5
    """Number of patient-wise folds, where no records.csv beside the data gives a fold to every patient."""
    seed: int = 0
    """Deals the folds that are made here, and the leaky random ones."""
    groups: Path | None = None
    """CSV with the columns record, patient and, if needed, db, for records of one patient that are not known here."""

    licence: str | None = None
    """Licence of recordings and labels; by default what is known of PhysioNet's databases, else "not stated"."""

    def __post_init__(self) -> None:
        if not 2.0 <= self.window_s <= 10.0:
            raise ConfigError(f"window_s is {self.window_s:g}; expected 2 to 10 seconds.")
        if self.step_s is not None and not 0.1 <= self.step_s <= 3600.0:
            raise ConfigError(
                f"step_s is {self.step_s:g}; expected 0.1 to 3600 seconds, or nothing for the window's length."
            )
        if self.folds < 2:
            raise ConfigError(f"folds is {self.folds}; expected at least 2.")


SOURCE = Source(
    name="ecg_shock",
    title="ECG with shockable rhythms: VFDB, CUDB, MITDB, or any WFDB records with rhythm annotations",
    licence="ODC-By-1.0",
    prepare="data_prep.ecg_set:prepare",
    config="data_prep.ecg_shock:EcgShockConfig",
    synth="data_prep.synth.ecg_shock:prepare",
)
