"""YAML as this project writes it: values alone, no key twice, and no aliases, which a few bytes can make gigabytes of.

It imports nothing else of the project, since Snakemake reads it in an environment of its own.
"""

from collections import Counter
from typing import Any

import yaml


class _Plain(yaml.SafeLoader):
    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise ValueError(f"line {self.peek_event().start_mark.line + 1} has an alias: write out what it stands for")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        counts = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
        for key, count in counts.most_common(1):
            if count > 1:
                raise ValueError(f"line {node.start_mark.line + 1} and what follows give {key!r} twice: keep one")
        return super().construct_mapping(node, deep)


def load_yaml(content: str | bytes, what: str) -> Any:
    """The values in a text of YAML; raises ValueError, in one line that begins with `what`, if it is not plain YAML."""
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return yaml.load(text, _Plain)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}, " if error.problem_mark else ""
        raise ValueError(f"{what} is not YAML: {line}{ascii(error.problem)[1:-1]}") from None
    except RecursionError:
        raise ValueError(f"{what} is not YAML: it is nested too deeply") from None
    except Exception as error:  # what a tag or a number of another form raises is any
        raise ValueError(f"{what} is not YAML: {ascii(str(error).split(chr(10))[0])[1:-1]}") from None
