"""Files in object storage (``s3://...``, ``file:///...``), through Airflow's own access to it."""

from __future__ import annotations

from airflow.sdk import ObjectStoragePath


def write(folder: str, name: str, content: bytes) -> None:
    """Write a file, over one that is there; make its folder where storage has such.

    :raises Exception: whatever the storage raises
    """
    path = ObjectStoragePath(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / name).open("wb") as file:
        file.write(content)


def read(folder: str, name: str) -> bytes:
    """Read a file.

    :raises Exception: whatever the storage raises
    """
    with (ObjectStoragePath(folder) / name).open("rb") as file:
        return bytes(file.read())


def remove(folder: str) -> None:
    """Remove a folder and what is in it; one that is gone is fine.

    :raises Exception: whatever the storage raises
    """
    path = ObjectStoragePath(folder)
    if path.exists():
        path.rmdir(recursive=True)
