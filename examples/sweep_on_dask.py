"""Designs counted on a Dask cluster; here one of two processes on this machine (needs `cspanalyze[cluster]`).

    python examples/sweep_on_dask.py

A cluster that is there already takes its address instead: `Client("tcp://scheduler:8786")`.
"""

import cspanalyze


def main() -> None:
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        table = cspanalyze.sweep(
            "resnet18",
            gammas=(0.25, 0.5, 0.75),
            executor=client.get_executor(pure=False),
            progress=lambda row: print("done:", row.label),
        )
    print(table)
    print("on the front:", ", ".join(row.label for row in table.front))


if __name__ == "__main__":  # the worker processes import this file
    main()
