"""Names of very many files, which cost their letters and no object each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BETWEEN = "\0"  # which no name of a file holds


class Names:
    """Names of files, or their paths below the root, in an order.

    Args:
        pairs: Each as the system spells it, and as all spell it: POSIX text in NFC, where bytes that are no text are
            escaped.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        given = list(pairs)
        self._count = len(given)
        self._names = _BETWEEN.join(name for _, name in given)
        spelled = _BETWEEN.join(spelled for spelled, _ in given)
        # They are the same nearly always, and one text serves for both.
        self._spelled = self._names if spelled == self._names else spelled

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        if not self._count:
            return iter(())
        return zip(self._spelled.split(_BETWEEN), self._names.split(_BETWEEN), strict=True)

    def __eq__(self, other: object) -> bool:
        """Compare the names, both ways of spelling them, and their order."""
        if not isinstance(other, Names):
            return NotImplemented
        return (self._count, self._spelled, self._names) == (other._count, other._spelled, other._names)

    __hash__ = None  # type: ignore[assignment]  # as of a list
