"""A storage alone, for the commands that work on what is stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from foodlog import dishes
from foodlog.config import load_config
from foodlog.discovery import discover
from foodlog.plugins import Selection, select
from foodlog.providers import Context, Storage
from foodlog.worker import now


@contextmanager
def open_storage(file: str | None, threads: int = 1) -> Iterator[Storage]:
    """The storage a configuration file names; closed in the end.

    ``threads``: how many will call it at once. Raises as :func:`foodlog.config.load_config`,
    :func:`foodlog.plugins.select` and :meth:`foodlog.plugins.Selection.build` do.
    """
    chosen = select(discover(), load_config(file)).chosen
    storage = tuple(entry for entry in chosen if entry.offer.kind == "storage")
    context = Context(dishes=dishes.load(), clock=now, threads=threads)
    providers = Selection(storage, ()).build(context)
    try:
        yield providers.storage
    finally:
        providers.close()
