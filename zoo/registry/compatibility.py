"""Whether a plugin's distribution accepts the installed zoo."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zoo.registry.entry import OWN_DISTRIBUTION

# Patterns, not compiled ones: most are never needed, and `re` keeps those that are.
_OURS = r"(?i)torch[-_.]+zoo(?![\w.-]*\w)"
_AT_LEAST = r"\s*\(?\s*>=\s*(\d+(?:\.\d+)*)\s*\)?\s*"
_RELEASE = r"\d+(?:\.\d+)*"


def stated_requirement(requirements: Iterable[str]) -> str | None:
    """Return what *requirements* say about zoo, as ``"torch-zoo>=0.1"``, or None.

    Requirements that an extra or another platform adds do not count.
    """
    ours = [text for text in requirements if re.match(_OURS, text)]
    specifiers = [specifier for text in ours if (specifier := _specifier(text)) is not None]
    return OWN_DISTRIBUTION + ",".join(filter(None, specifiers)) if specifiers else None


def accepts(requirement: str | None, version: str) -> bool:
    """Return whether *requirement*, as `stated_requirement` returns it, allows this *version* of zoo.

    Raises:
        ValueError: If the requirement is malformed.
    """
    specifier = (requirement or OWN_DISTRIBUTION).removeprefix(OWN_DISTRIBUTION)
    if not specifier:
        return True
    least = re.fullmatch(_AT_LEAST, specifier)
    if least and re.fullmatch(_RELEASE, version):
        return _numbers(version) >= _numbers(least[1])
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _specifier(text: str) -> str | None:
    """Return the version specifier of one requirement on zoo, or None where its marker does not hold here."""
    # Nearly every plugin states "torch-zoo>=X": read that much here, since importing packaging takes 30 ms.
    rest = re.sub(_OURS, "", text, count=1)
    if least := re.fullmatch(_AT_LEAST, rest):
        return f">={least[1]}"
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return rest.strip()
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    return str(requirement.specifier)


def _numbers(release: str) -> tuple[int, ...]:
    """Return a release as numbers that compare: 1.0 equals 1."""
    numbers = [int(part) for part in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
