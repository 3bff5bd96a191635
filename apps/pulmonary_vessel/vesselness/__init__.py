"""Line filters on the Hessian of the grey values, in float32 and on lung voxels only."""
