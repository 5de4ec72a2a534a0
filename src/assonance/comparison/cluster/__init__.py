"""Pieces of a comparison computed by the processes of a Dask cluster, on one machine or many."""
