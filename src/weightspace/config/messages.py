"""Messages for a config that cannot be run: the key, what is wrong, the nearest valid choice."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import Any

__all__ = ["describe", "nearest"]

# What was given may be a whole section, or one that YAML aliases make as large as they like.
_SHORT = Repr()
_SHORT.maxstring, _SHORT.maxother, _SHORT.maxlevel = 60, 60, 2


def nearest(given: str, valid: Sequence[str] | Mapping[str, Any]) -> str:
    """Say which valid choice is nearest, and list them all."""
    close = get_close_matches(given[:100], list(valid), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}valid: {', '.join(valid)}"


def describe(error: Any) -> str:
    """One line for one problem: the key, what is wrong, what was given."""
    key, context = _key(error["loc"]), error.get("ctx", {})
    given = _SHORT.repr(error["input"])
    match error["type"]:
        case "value_error":
            return f"{key}: {context['error']}"
        case "missing":
            return f"{key}: this key is missing"
        case "union_tag_not_found":
            return f"{key}.kind: this key is missing"
        case "union_tag_invalid":
            valid = re.findall(r"'([^']*)'", context["expected_tags"])
            return f"{key}.kind: unknown {context['tag']!r}; {nearest(context['tag'], valid)}"
        case "literal_error":
            valid = [x.strip("'") for x in re.split(", | or ", context["expected"])]
            return f"{key}: unknown {given}; " + nearest(given.strip("'"), valid)
        case "model_type" | "dict_type":
            return f"{key}: must be a section of keys (given: {given})"
        case "float_type" if isinstance(error["input"], str):
            return f"{key}: {given} is text; YAML reads numbers such as 0.001 or 1.0e-3"
    return f"{key}: {error['msg']} (given: {given})"


def _key(loc: tuple[int | str, ...]) -> str:
    """The key as written in the file: without the `kind` that pydantic puts into the path."""
    parts = [str(part) for part in loc]
    if parts[:1] == ["models"]:
        del parts[2:3]
    if parts[:1] == ["schemes"]:
        after = 4 if parts[2:3] == ["augment"] else 3
        del parts[after : after + 1]
    return ".".join(parts) or "top level"
