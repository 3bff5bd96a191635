"""Toy app: clicks in an endless log of impressions, read as a stream."""
