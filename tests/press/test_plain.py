"""What MyST says in the book, plain Markdown says too: each role and directive has a known answer."""

import re
import shutil

import pytest
from helpers import refuses

from book.press import plain
from book.press.plain import Page, labels
from lib.chapter.parameters import chapter_names
from lib.store import CODE, write_whole

FIRST = """# %% [markdown]
# (ch-first)=
# # The first
#
# Text.
#
# $$
# a = b
# $$ (eq-first)
#
# :::{glue:figure} fig-a
# :name: fig-a
#
# It falls.
# :::
#
# ```{prf:theorem} All of it
# :label: thm-all
#
# True.
# ```

# %%
# (ch-code)=
# # No text
"""
SECOND = """# %% [markdown]
# (ch-second)=
# # The second
#
# (sec-why)=
# ## Why so
#
# :::{exercise} How many?
# :label: ex-many
#
# Count.
# :::
#
# ```{prf:theorem}
# :label: thm-more
#
# True.
# ```
#
# ```{prf:theorem}
# :label: thm-last
#
# True.
# ```
"""
SOURCES = """@misc{one2020, author = {Ray, Ann Q.}, title = {On {CKA}}, year = {2020}, note = {arXiv 2001.00001v2}}
@article{two2021, author = {Ray, Ann and Poe, Bo}, title = {Two}, journal = {J}, year = {2021}}
@article{many2022, author = {Du Bois, A and Ray, Ann and Poe, Bo}, title = {M}, journal = {J}, year = {2022}}
"""
GLUED = {"rms": "0.12345", "count": "18", "words": "not recorded", "text": "**See** {ref}`sec-why`.", "name": "*CKA*"}


@pytest.fixture
def page(project):
    """The second of two chapters, which the contents give in the other order of their numbers."""
    for name, text in {"01_second": SECOND, "02_first": FIRST}.items():
        write_whole(project / "notebooks" / f"{name}.py", text)
    write_whole(project / "_toc.yml", "- file: book/chapters/02_first\n- file: book/chapters/01_second\n")
    write_whole(project / "book" / "data.md", "(page-data)=\n# Data\n")
    write_whole(project / "book" / "references.bib", SOURCES)
    return Page("01_second", GLUED, {"fig-b": "<p>drawn</p>"})


@pytest.mark.parametrize(
    ("myst", "wanted"),
    {
        "{term}`CKA` and {term}`latents <latent>`": "CKA and latents",
        "{term}`basis\npursuit` it": "basis pursuit it",
        "{glue:text}`rms:.2f`, {glue:text}`rms:.1e`, {glue:text}`count`": "0.12, 1.2e-01, 18",
        "{glue:text}`count:.1f` {glue:text}`words`": "18.0 not recorded",
        "*{glue:md}`name`*, {glue:md}`text`": "**CKA**, **See** *Why so*.",
        "{ref}`sec-why`, {ref}`this <sec-why>`": "*Why so*, this (*Why so*)",
        "{ref}`ch-first`; {ref}`others <ch-first>`": "*The first*; others (*The first*)",
        "{ref}`page-data`": "*Data*",
        "{numref}`fig-a`": "Fig. 1.1 in *The first*",
        "{numref}`the drawing %s <fig-a>`": "the drawing Fig. 1.1 in *The first*",
        "{prf:ref}`thm-last` {prf:ref}`thm-all`": "Theorem 2.2 Theorem 1.1 in *The first*",
        "{ref}`ex-many` {eq}`eq-first`": "Exercise 2.1 (1.1) in *The first*",
        "{cite:t}`one2020`": "Ray ([2020](https://arxiv.org/abs/2001.00001))",
        "{cite:t}`two2021`": "Ray and Poe (2021)",
        "{cite:p}`many2022, two2021`": "(Du Bois et al., 2022; Ray and Poe, 2021)",
        "[said](#fig-a) and [](#sec-why), [out](https://a.b)": "said (Fig. 1.1 in *The first*) and *Why so*, "
        "[out](https://a.b)",
        "(sec-here)=\n## Here": "## Here",
        "`{ref}` stays, and `a` {term}`b`": "`{ref}` stays, and `a` b",
        "$$\na\n$$ (eq-first)": "$$\na\n\\tag{1.1} $$",
        "Costs $x$, {term}`b` | c": "Costs $x$, b | c",
    }.items(),
)
def test_a_role_is_read_as_words(page, myst, wanted):
    assert page.markdown(myst) == wanted


BLOCKS = {
    ":::{glue:figure} fig-a\n:name: fig-a\n\nFalls to {glue:text}`rms:.1f`.\n\nAt once.\n:::": (
        "**Fig. 1.1.** Falls to 0.1.\n\nAt once."
    ),
    ":::{glue:figure} fig-b\n:name: fig-b\n\n*Seen.*\n:::": "<p>drawn</p>\n\n**Figure.** *Seen.*",
    "```{glue:md} text\n:format: myst\n```": "**See** *Why so*.",
    ":::{admonition} What it says\n:name: tab-a\n\n```{glue:md} text\n:format: myst\n```\n:::": (
        "> **What it says**\n>\n> **See** *Why so*."
    ),
    ":::{note}\nMind.\n:::": "> **Note**\n>\n> Mind.",
    "::::{dropdown} About {term}`it`\nA.\n\n:::{tip}\nB.\n:::\n::::": (
        "<details><summary>About it</summary>\n\nA.\n\n> **Tip**\n>\n> B.\n\n</details>"
    ),
    "::::{div} chapter-card\nA.\n::::": "A.",
    "Before.\n````{prf:proof}\nLet\n\n$$\na \\\\\nb\n$$\n\nand $c\nd$.\n````\nAfter.": (
        "Before.\n\n> **Proof**\n>\n> Let\n>\n> $$ a \\\\ b $$\n>\n> and $c d$.\n\nAfter."
    ),
    "```{prf:theorem} More\n:label: thm-more\n\nTrue.\n```": "> **Theorem 2.1** (More)\n>\n> True.",
    "```{prf:remark}\nOdd.\n```": "> **Remark**\n>\n> Odd.",
    ":::{exercise} How many?\n:label: ex-many\n\nCount.\n:::": "> **Exercise 2.1** (How many?)\n>\n> Count.",
    "```{list-table}\n:header-rows: 1\n\n* -\n  - one\n* - two {glue:text}`count`\n  - long\n    cell\n```": (
        "|  | one |\n| --- | --- |\n| two 18 | long cell |"
    ),
    "```bash\n{term}`a` ::: (a)=\n```\n{term}`b`": "```bash\n{term}`a` ::: (a)=\n```\n\nb",
}


@pytest.mark.parametrize(("myst", "wanted"), BLOCKS.items())
def test_a_directive_becomes_markdown(page, myst, wanted):
    assert page.markdown(myst) == wanted


def test_solutions_are_folded_over_cells(page):
    start, end = ":::{solution-start} ex-many\n:label: sol-many\n:::\n", ":::{solution-end}\n:::\n"
    assert page.cell(f"Ask.\n\n{start}") == "Ask.\n\n*Solution to Exercise 2.1: open the next cell.*"
    assert page.solving == "Exercise 2.1"
    fold = "<details><summary>Solution to Exercise 2.1</summary>\n\n{}\n\n</details>".format
    assert page.cell(f"Since.\n\n{end}\nNext.\n\n{start}So.\n\n{end}") == f"{fold('Since.')}\n\nNext.\n\n{fold('So.')}"
    assert page.solving == ""


def test_numbers_without_a_run_are_named(page):
    page.glued = {}
    assert page.markdown("Over {glue:text}`rms:.1f` pairs") == "Over [`rms` of your run] pairs"


def test_what_is_cited_is_listed(page):
    page.markdown("{cite:t}`two2021` {cite:p}`one2020`")
    first = "- Ann Q. Ray. *On CKA*. 2020. https://arxiv.org/abs/2001.00001"
    assert page.references() == f"## References\n\n{first}\n- Ann Ray, Bo Poe. *Two*. J. 2021"


def test_what_is_not_known_is_refused(page):
    refuses("01_second: fig-none is no label", "write one", page.markdown, "{numref}`fig-none`")
    refuses("01_second: none is not in book/references.bib", "add it", page.markdown, "{cite:t}`none`")
    refuses("01_second: the role sub is not known", "add it", page.markdown, "{sub}`a`")
    refuses("01_second: the directive video is not known", "add it", page.markdown, ":::{video} a\n:::")


def test_code_defines_no_label_and_a_project_without_contents_counts_by_name(page, project):
    assert "ch-code" not in labels()
    (project / "_toc.yml").unlink()
    assert labels()["thm-all"].words == "Theorem 2.1"


BUILT = CODE / "_build" / "html" / "book" / "chapters"


SHOWN = re.compile(r'href="[^"#]*#(?:equation-)?([\w-]+)"[^>]*>(?:<span[^>]*>)?((?:[A-Z][a-z]+\.? |\()\d+\.\d+\)?)<')


@pytest.mark.skipif(not BUILT.exists(), reason="no built book: run `make book` first")
def test_figures_and_statements_have_the_numbers_of_the_built_book():
    pages = [(BUILT / f"{name}.html").read_text(encoding="utf-8") for name in chapter_names()]
    shown = {label: words for text in pages for label, words in SHOWN.findall(text)}
    assert {"Fig.", "Theorem", "Proposition"} < {words.split()[0] for words in shown.values()} and len(shown) > 50
    known = {label: one.words for label, one in labels().items()}
    assert {label: known.get(label) for label in shown} == shown


def test_every_chapter_has_a_place_in_the_contents(project):
    for name in ("notebooks", "_toc.yml"):
        copy = shutil.copytree if (CODE / name).is_dir() else shutil.copy
        copy(CODE / name, project / name)
    numbers = [label.words for name, label in plain.labels().items() if name.startswith("ex-")]
    assert {words.split()[1].split(".")[0] for words in numbers} == {str(i) for i in range(1, 1 + len(chapter_names()))}
