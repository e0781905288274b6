"""Files of the book that chapters read: of a checkout, or those that an installed copy carries."""

from pathlib import Path

from lib import store
from lib.closure import INSTALLED, PACKAGE


def of_book(path: str | Path) -> Path:
    """A file or folder by its path from the book's root. What an installed copy does not carry is looked for here."""
    carried = store.CODE / PACKAGE / path
    return carried if INSTALLED and carried.exists() else store.ROOT / path
