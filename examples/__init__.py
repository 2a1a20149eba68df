"""Every example of the documentation, runnable: `python -m examples` runs all, `python -m examples.tsqr` one.

An example is a module with a function `run(get, ...)`: it builds a Dask collection, computes it with the
scheduler `get` (a `wukong.Client`'s), compares the result with Dask's own synchronous scheduler and with an
identity, raises `AssertionError` where they differ, and returns a sentence that says what was checked. Sizes
are parameters; their defaults are those of the documentation.
"""
