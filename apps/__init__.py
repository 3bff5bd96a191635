"""The apps of the suite, one folder each; `python -m apps` lists them."""
