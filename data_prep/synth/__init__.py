"""Seeded generators of small made-up data sets, one module per source.

A generator is a function (out: Path, items: int, seed: int) -> None that a `data_prep.contract.Source` names in
`synth`. It writes a set of the very form that `prepare` writes, with `synthetic=True`, so that every verb of an app
runs on it in seconds; the same seed makes the same bytes. Figures from such a set show that the machinery works, and
nothing else.
"""
