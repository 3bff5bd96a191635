"""Toy app: bright blobs in small volumes of differing shapes."""
