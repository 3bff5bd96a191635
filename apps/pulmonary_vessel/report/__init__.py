"""What a radiologist asks of a vessel mask: volumes by calibre, pictures, a surface, and slices to leaf through."""
