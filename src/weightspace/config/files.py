"""Config files, read more strictly than Snakemake reads them: a key that is there twice is refused.

    python -m weightspace.config.files FILE ...

says whether files can be read, and where they cannot. Like the rest of the config, without torch.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from weightspace.config.study import ConfigError
from weightspace.once import once

__all__ = ["check_files", "main", "read_file"]


def check_files(paths: Iterable[Path | str]) -> None:
    """Refuse config files of which Snakemake would not say what is wrong, or not notice it.

    Raises:
        ConfigError: as `read_file`.
    """
    for path in paths:
        read_file(path)


def read_file(path: Path | str) -> dict[str, Any]:
    """Read the keys of a config file, which is YAML or JSON.

    Raises:
        ConfigError: if it is not there, no text, no YAML, empty, no section of keys, or has a key
            twice; the message names the file and the line.
    """
    text = ""
    try:
        text = Path(path).read_text(encoding="utf-8")
        raw = _parsed(text)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); expected a config file: check the path"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); expected YAML, "
            "as in config.yaml: save it as UTF-8, or give another file"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{path}{_place(error)}: {_problem(error, text)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"{path} is not YAML ({reason}): write it as config.yaml is written"
        ) from None
    if not isinstance(raw, dict) or not raw:
        raise ConfigError(
            f"{path} has no keys; expected sections such as 'fit:' and 'train:', as in "
            "config.yaml: state at least one that differs from it"
        )
    return raw


def main(paths: Sequence[str]) -> int:
    """Check files; what is wrong with the first bad one goes to stderr."""
    try:
        check_files(paths)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parsed(text: str) -> Any:
    """As Snakemake does it: JSON, which may have tabs, else YAML."""
    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError:
        return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """The safe loader, without keys that are there twice and without nodes within themselves."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._open: list[str | None] = []  # the anchors of the nodes that are being read

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a node, which may not be the alias of one that it lies in."""
        event = self.peek_event()
        if self.check_event(yaml.AliasEvent):
            if event.anchor in self._open:
                raise ComposerError(
                    problem=f"the alias '*{event.anchor}' lies within what it stands for",
                    problem_mark=event.start_mark,
                )
            return super().compose_node(parent, index)
        self._open.append(event.anchor)
        node = super().compose_node(parent, index)
        self._open.pop()
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Read a mapping whose keys differ; `<<` may be there more than once."""
        node = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], yaml.Mark] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            mark = first.setdefault((key.tag, key.value), key.start_mark)
            if mark is not key.start_mark:
                raise ComposerError(
                    problem=f"the key {key.value!r} is there twice, first in line {mark.line + 1}",
                    problem_mark=key.start_mark,
                )
        return node


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    """What is wrong there, and what to do."""
    problem = error.problem or "it is not YAML"
    if "there twice" in problem:
        return f"{problem}: take one of them out"
    if "lies within" in problem:
        return f"{problem}: write out what is meant"
    lines = text.splitlines()[error.problem_mark.line :] if error.problem_mark else []
    if lines and "\t" in lines[0]:
        return f"{problem}: YAML is not indented with tabs, put spaces in their place"
    return f"{problem}: mend this line or the one before it"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
