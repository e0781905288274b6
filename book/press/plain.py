"""MyST as Markdown that any notebook shows: roles become words, directives quotes, bold words and folds.

Numbers, figures and statements are called as the book calls them. What is glued comes from a run.
"""

import re
from collections import Counter
from functools import cache
from typing import NamedTuple

from pybtex.database import parse_string

from lib import store
from lib.chapter.parameters import chapter_names, notebook_path

OPEN = re.compile(r"(?P<fence>`{3,}|:{3,})(\{(?P<kind>[\w:-]+)\} *(?P<title>.*))?[^`]*")
OPTION = re.compile(r":([\w-]+): *(.*)")
TARGET = re.compile(r"\(([\w-]+)\)=")
EQUATION = re.compile(r"\$\$ *\(([\w-]+)\)$", flags=re.M)
ROLE = re.compile(r"\{(?P<role>[\w:-]+)\}`(?P<text>[^`]+)`|(?P<ticks>`+)[^`].*?(?P=ticks)", flags=re.S)
LINK = re.compile(r"\[([^\]]*)\]\(#([\w-]+)\)")
SOLUTION = re.compile(r"^:{3,}\{solution-(?P<which>start|end)\} *(?P<of>[\w-]*).*?^:{3,}$\n?", flags=re.M | re.S)
BOXES = {
    "admonition",
    "attention",
    "card",
    "caution",
    "danger",
    "hint",
    "important",
    "note",
    "seealso",
    "tip",
    "warning",
}
REFERENCES = ("ref", "prf:ref", "numref", "eq")
NUMBERED = {"glue:figure": "Fig.", "exercise": "Exercise"}
NUMBERED |= {
    f"prf:{kind}": kind.capitalize() for kind in ("corollary", "definition", "example", "lemma", "proposition")
}
NUMBERED |= {"prf:proof": "Proof", "prf:remark": "Remark", "prf:theorem": "Theorem"}


class Label(NamedTuple):
    """How a reference is read: `Fig. 5.1`, `Proposition 5.1`, `(5.1)` or a title; its chapter, and that one's title."""

    words: str
    chapter: str
    title: str


class Page:
    """Turns a chapter's MyST into Markdown; `solving` names the exercise inside whose solution the last cell ended."""

    def __init__(self, chapter: str, glued: dict[str, str], pictures: dict[str, str]):
        self.chapter, self.labels, self.solving, self.cited = chapter, labels(), "", {}
        self.glued, self.pictures = glued, pictures
        self.sources = _sources(store.ROOT / "book" / "references.bib")

    def cell(self, source: str) -> str:
        """A cell's text; what it has of a solution is folded."""
        parts, place = [], 0
        for mark in [*SOLUTION.finditer(source), None]:
            text = self.markdown(source[place : mark.start() if mark else None])
            parts.append(_folded(f"Solution to {self.solving}", text) if self.solving and text else text)
            if mark:
                place = mark.end()
                self.solving = self._label(mark["of"]).words if mark["which"] == "start" else ""
        if self.solving and not parts[-1]:
            parts.append(f"*Solution to {self.solving}: open the next cell.*")
        return "\n\n".join(filter(None, parts))

    def markdown(self, source: str) -> str:
        """MyST as Markdown. Raises ValueError for a directive, a role or a label that is not known."""
        parts, prose, lines = [], [], source.splitlines()
        while lines:
            line = lines.pop(0)
            if not (opened := OPEN.fullmatch(line)):
                prose += [] if TARGET.fullmatch(line) else [line]
                continue
            body, end = [], re.compile(f"{opened['fence'][0]}{{{len(opened['fence'])},}} *")
            while lines and not end.fullmatch(lines[0]):
                body.append(lines.pop(0))
            end_line = lines.pop(0) if lines else opened["fence"]
            parts.append(self._prose(prose))
            parts.append(self._block(opened, body) if opened["kind"] else "\n".join([line, *body, end_line]))
            prose = []
        return "\n\n".join(filter(None, [*parts, self._prose(prose)]))

    def apart(self, source: str) -> str:
        """MyST for a page without its book: terms as words, what stands elsewhere by the name the book gives it."""

        def told(found):
            role, ticks, target = found["role"], found["ticks"], (found["text"] or "").rpartition("<")[2].rstrip(">")
            if ticks and found[0].startswith(ticks + "{") and len(ticks) > 2:  # a directive
                return ticks + ROLE.sub(told, found[0].strip("`")) + ticks
            here = role in REFERENCES and self._label(target).chapter == self.chapter
            return self._role(role, found["text"]) if role in ("term", *REFERENCES) and not here else found[0]

        return ROLE.sub(told, source)

    def references(self) -> str:
        """What the chapter cites, one line each."""
        return "## References\n\n" + "\n".join(f"- {_line(self.cited[key])}" for key in sorted(self.cited))

    def _block(self, opened, lines):
        kind, title = opened["kind"], opened["title"]
        options = _options(lines)
        body = "\n".join(lines[len(options) :]).strip()
        label = self.labels.get(options.get("label") or options.get("name", ""))
        if kind == "glue:figure":
            caption = f"**{label.words if label else 'Figure'}.** {self.markdown(body)}"
            return "\n\n".join(filter(None, [self.pictures.get(title), caption]))
        if kind.startswith("glue:"):
            return self._value(title)
        if kind == "list-table":
            return self._prose([_table(body)])
        if kind == "div":
            return self.markdown(body)
        if kind == "dropdown":
            return _folded(self._prose([title]), self.markdown(body))
        if not (word := NUMBERED.get(kind)) and kind not in BOXES:
            raise ValueError(f"{self.chapter}: the directive {kind} is not known: add it to book/press/plain.py")
        named, word = self._prose([title]), label.words if word and label else word
        head = f"**{word}**{f' ({named})' if named else ''}" if word else f"**{named or kind.capitalize()}**"
        return _quoted(f"{head}\n\n{self.markdown(body)}")

    def _prose(self, lines):
        text = ROLE.sub(lambda found: found[0] if found["ticks"] else self._role(**found.groupdict()), "\n".join(lines))
        text = LINK.sub(lambda found: self._reference(found[2], found[1]), text)
        return EQUATION.sub(lambda found: rf"\tag{{{self._label(found[1]).words[1:-1]}}} $$", text).strip()

    def _role(self, role, text, ticks=None):
        text = " ".join(text.split())
        shown, target = re.fullmatch(r"(?:(.*?) ?<)?([^<>]+)>?", text).groups()
        if role.startswith("glue:"):
            return self._value(text)
        if role == "term":
            return shown or target
        if role.startswith("cite:"):
            return self._citation(text.split(","), role == "cite:t")
        if role in REFERENCES:
            return self._reference(target, shown)
        raise ValueError(f"{self.chapter}: the role {role} is not known: add it to book/press/plain.py")

    def _label(self, name):
        if name not in self.labels:
            raise ValueError(f"{self.chapter}: {name} is no label of the book: write one that a page defines")
        return self.labels[name]

    def _reference(self, name, shown=""):
        label = self._label(name)
        elsewhere = label.chapter not in ("", self.chapter) and label.words != label.title
        words = f"{label.words} in {label.title}" if elsewhere else label.words
        return shown.replace("%s", words) if "%s" in (shown or "") else f"{shown} ({words})" if shown else words

    def _value(self, text):
        """A glued number in the form asked for, words as they are, and MyST turned into Markdown too."""
        name, _, form = text.partition(":")
        if name not in self.glued:
            return f"[`{name}` of your run]"
        value = self.glued[name]
        return format(float(value), form) if form else self.markdown(value)

    def _citation(self, keys, in_text):
        told = []
        for key in map(str.strip, keys):
            source = self.sources.get(key)
            if not source:
                raise ValueError(f"{self.chapter}: {key} is not in book/references.bib: add it")
            self.cited[key], names = source, source.persons["author"]
            who = _last(names[0]) + (" et al." if names[2:] else "".join(f" and {_last(name)}" for name in names[1:]))
            link = _address(source)
            year = f"[{source.fields['year']}]({link})" if link else source.fields["year"]
            told.append(f"{who} ({year})" if in_text else f"{who}, {year}")
        return ", ".join(told) if in_text else f"({'; '.join(told)})"


def labels() -> dict[str, Label]:
    """Where the labels of the book lead: chapters and what stands in them are numbered in the order of its contents."""
    toc = store.ROOT / "_toc.yml"
    order = toc.read_text(encoding="utf-8") if toc.exists() else ""
    found = {}
    for number, name in enumerate(sorted(chapter_names(), key=lambda name: order.find(f"/{name}\n")), 1):
        cells = re.split(r"^# %%(.*)$", notebook_path(name).read_text(encoding="utf-8"), flags=re.M)
        text = "".join(cell for head, cell in zip(cells[1::2], cells[2::2], strict=True) if "[markdown]" in head)
        found |= _labels(re.sub("^# ?", "", text, flags=re.M), name, number)
    for path in sorted((store.ROOT / "book").glob("*.md")):
        found |= _labels(path.read_text(encoding="utf-8"), "", 0)
    return found


def _labels(text, chapter, number):
    found, counts, waiting, title = {}, Counter(), [], ""
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if target := TARGET.fullmatch(line):
            waiting.append(target[1])
        elif heading := re.fullmatch(r"#+ (.+)", line):
            title = title or f"*{heading[1]}*"
            found |= dict.fromkeys(waiting, Label(f"*{heading[1]}*", chapter, title))
            waiting = []
        elif equation := EQUATION.search(line):
            counts["eq"] += 1
            found[equation[1]] = Label(f"({number}.{counts['eq']})", chapter, title)
        elif (opened := OPEN.fullmatch(line)) and (kind := opened["kind"]):
            counts[kind] += kind in NUMBERED
            words = f"{NUMBERED[kind]} {number}.{counts[kind]}" if kind in NUMBERED else f"*{opened['title']}*"
            if option := OPTION.fullmatch(after):
                found[option[2]] = Label(words, chapter, title)
    return found


def _options(lines):
    found = {}
    for line in lines:
        if not (option := OPTION.fullmatch(line)):
            break
        found[option[1]] = option[2]
    return found


def _quoted(text):
    """A quote. A formula in one becomes one line: readers would take the signs before its lines for a part of it."""
    text = re.sub(r"(\$\$?)(?!\$).+?\1", lambda found: " ".join(found[0].split()), text, flags=re.S)
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _folded(summary, text):
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _table(body):
    """A list-table as a table of Markdown."""
    rows = [re.split(r"(?:^|\n) *- ?", row)[1:] for row in re.split(r"^\* ", body, flags=re.M)[1:]]
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])


@cache
def _sources(path):
    return parse_string(path.read_text(encoding="utf-8"), "bibtex").entries if path.exists() else {}


def _last(person):
    return " ".join(person.last_names)


def _address(source):
    """Where a work that is on the net can be read."""
    preprint = re.search(r"\b\d{4}\.\d{4,5}(?!\d)", source.fields.get("eprint", "") + source.fields.get("note", ""))
    return f"https://arxiv.org/abs/{preprint[0]}" if preprint else source.fields.get("url", "")


def _line(source):
    """A work as a list of references has it."""
    names = [
        " ".join([*person.first_names, *person.middle_names, _last(person)]) for person in source.persons["author"]
    ]
    place = source.fields.get("journal") or source.fields.get("booktitle")
    told = [", ".join(names), f"*{source.fields['title']}*", place, source.fields["year"], _address(source)]
    return ". ".join(filter(None, told)).translate(str.maketrans("", "", "{}"))
