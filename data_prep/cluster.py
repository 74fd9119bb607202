"""A Dask cluster as an executor for :func:`data_prep.prepare`; needs the extra ``scale``.

Each machine needs this package, in the same versions, and the files under the same paths. Dask moves the work of
a lost machine to another.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from data_prep.windows import PrepError

CONNECT_SECONDS = 10.0
WORKER_SECONDS = 60.0  # to wait for the first worker
PACKAGES = ("melodyvae", "numpy")  # that decide on the bytes


@contextmanager
def cluster_executor(address: str) -> Iterator[Executor]:
    """An executor that works on the cluster whose scheduler is at ``address``, such as ``tcp://host:8786``.

    Raises:
        PrepError: if Dask is not installed, nothing answers, there is no worker, or a worker has other versions.
    """
    _check_address(address)
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise PrepError("a cluster needs Dask: pip install 'melodyvae[scale]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise PrepError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        _check_workers(client, address)
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)


def _check_address(address: str) -> None:
    """Check that something listens at the address; Dask's own error is a page long."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.scheme not in ("tcp", "tls"):
        raise PrepError(f"the cluster's address is {address!r}; it must be such as tcp://host:8786")
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        raise PrepError(f"no Dask scheduler answers at {address}: {error.strerror or error}") from error


def _check_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise PrepError(f"the cluster at {address} has no worker; start some with: dask worker {address}") from None
    try:
        versions = client.run(_versions)
    except ImportError as error:
        raise PrepError(f"the cluster's workers lack a package ({error}); install melodyvae on each of them") from error
    for worker, worker_versions in versions.items():
        if worker_versions != _versions():
            raise PrepError(
                f"the worker at {worker} has {worker_versions}, this machine {_versions()}; they must be the same"
            )


def _versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}
