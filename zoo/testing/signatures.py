"""What every builder must be, whatever its kind."""

from __future__ import annotations

from zoo.registry import Entry, Signature, signature_of
from zoo.registry.weights import file_of
from zoo.testing.outcome import ContractError, warn

_NEEDED = {
    "models": ("num_classes", "in_channels"),
    "optimizers": ("params",),
    "schedulers": ("optimizer",),
    "searchers": ("space",),
}


def check_target(entry: Entry) -> str:
    """Lead to a builder that takes what zoo gives to its kind, and options of its own."""
    if entry.kind == "recipes":
        return f"{len(entry.read_text()):,} characters"
    if entry.kind == "weights":
        return f"a file for {file_of(entry).model}"
    signature = signature_of(entry)
    _check_facts(entry, signature)
    if entry.kind == "optimizers" and not signature.open:
        _check_rate(entry, signature)
    if signature.open:
        warn(f"{entry} takes any keyword, so a misspelt option passes unnoticed. Name the options in the signature.")
    return f"options: {', '.join(signature.options) or 'none'}"


def _check_facts(entry: Entry, signature: Signature) -> None:
    missing = [fact for fact in _NEEDED.get(entry.kind, ()) if fact not in signature.facts and not signature.open]
    if missing:
        raise ContractError(
            entry,
            expected=f"a builder with the arguments {', '.join(_NEEDED[entry.kind])}",
            seen=f"{', '.join([*signature.facts, *signature.options]) or 'no arguments'}",
            mend=f"Add {' and '.join(missing)}: zoo passes them by keyword, from the data at hand.",
        )


def _check_rate(entry: Entry, signature: Signature) -> None:
    rate = signature.options.get("lr")
    if rate is None or rate.required:
        raise ContractError(
            entry,
            expected="an option lr with a default, which --lr sets",
            seen="no lr" if rate is None else "an lr without default",
            mend="Write lr: float = ... with the rate that suits the method.",
        )
