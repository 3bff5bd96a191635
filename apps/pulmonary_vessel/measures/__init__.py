"""How well marked voxels match the true vessels: additive counts first, scores as pure functions of them after."""
