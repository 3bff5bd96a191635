"""The field's features of a window and the detectors on them, each with its source."""
