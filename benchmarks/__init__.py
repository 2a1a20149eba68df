"""Measures Wukong beside Dask's own synchronous scheduler: same graphs, one run, results compared."""
