"""TaskOps: task operations for Apache Airflow 3."""

from __future__ import annotations

__all__ = ["__version__"]

#: the installed version; read from the package's metadata only when asked for, as every Airflow process imports this
__version__: str


def __getattr__(name: str) -> str:
    """Read ``__version__`` from the metadata of the installed package.

    :raises AttributeError: for any other name
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("airflow-provider-taskops")
