"""What the pages need travels with the book: MathJax from an installed package, one style sheet, two scripts."""

from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

HERE = Path(__file__).parent
OURS = ("book.css", "book.js", "hook.js")
MATHJAX = "mathjax/tex-svg-full.js"


def add_assets(app, config):
    """Put MathJax, the style sheet and the script among the static files and point Sphinx at MathJax."""
    # The package's name has dashes, so it cannot be imported, only found.
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    script = package / "static" / MATHJAX
    config.html_static_path += [str(script), *(str(HERE / name) for name in OURS)]
    config.mathjax_path = script.name


def refresh(app, exception):
    """Copy style sheet and script even if no page is out of date, when Sphinx leaves the old ones."""
    for name in () if exception else OURS:
        copyfile(HERE / name, Path(app.outdir) / "_static" / name)


def plain_citations(app, page, template, context, doctree):
    """The bibliography calls itself a list but holds more than list items, which screen readers stumble over."""
    for role in ('role="list" class="citation-list"', 'role="doc-biblioentry"'):
        context["body"] = context.get("body", "").replace(f" {role}", "")


def setup(app):
    app.connect("config-inited", add_assets)
    app.connect("html-page-context", plain_citations)
    app.connect("build-finished", refresh)
    app.add_css_file("book.css")
    app.add_js_file("book.js")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
