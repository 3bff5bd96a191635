"""Raw file formats of the world, one module each: plain arrays with units."""
