"""Lung CT phantoms: drawn chests with artery, vein and airway trees whose every voxel is known.

Coordinates are mm in patient axes, in the order z (to the head), y (to the back), x (to the patient's left); z = 0 is
the level of the hila, x = 0 the midline. A chest has its own size; a phantom is what a window of it looks like in CT.
"""
