"""The networks of the field, all from a volume to one logit a voxel and output."""
