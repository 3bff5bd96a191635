"""Toy app: rectangles in small pictures, each picture with its own number of them."""
