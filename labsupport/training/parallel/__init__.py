"""Parallelism beyond data: pipelines and tensors split over ranks, small enough to be read."""
