"""A job of some seconds, as it may stand in anybody's script."""

import time

import dask

from wukong import Client, LocalCluster


def simulate(seed: int) -> int:
    """Stand in for work: takes half a second."""
    time.sleep(0.5)
    if seed % 5 == 0:
        print(f"seed {seed} converged")
    return seed * seed


if __name__ == "__main__":
    with LocalCluster(environments=2) as cluster, Client(cluster) as client:
        runs = [dask.delayed(simulate)(seed, dask_key_name=("simulate", seed)) for seed in range(16)]
        print("sum of squares:", dask.delayed(sum)(runs, dask_key_name="total").compute())
        print(client.report())
