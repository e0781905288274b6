"""Every page of the built book as a PDF file, printed by Chromium.

python -m book.press.pdf [NAME ...]     write _build/pdf/NAME.pdf
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from lib import store

PAGES, PRINTED = store.ROOT / "_build" / "html" / "book", store.ROOT / "_build" / "pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without a display; the virtual time lets MathJax finish before the page is printed.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--virtual-time-budget=20000"]


def print_page(page: Path, browser: str) -> Path:
    """Print one built page into _build/pdf. Raises ValueError if nothing was printed."""
    path = PRINTED / f"{page.stem}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    done = subprocess.run([browser, *OPTIONS, f"--print-to-pdf={path}", page.as_uri()], capture_output=True, text=True)
    if not path.exists():
        told = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ValueError(f"{browser} printed nothing of {page.name} ({told}): open it and print it by hand")
    return path


def main(arguments: list[str] | None = None) -> None:
    """Print some pages, or all."""
    parser = argparse.ArgumentParser(prog="python -m book.press.pdf", description="Print the built book.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="pages such as 03_linear_theory, all if none is named")
    names = parser.parse_args(arguments).names
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise ValueError(f"none of {', '.join(BROWSERS)} is installed: install one, or print from your own browser")
    pages = {page.stem: page for page in sorted(PAGES.rglob("*.html")) if ".slides" not in page.name}
    if missing := [name for name in names if name not in pages]:
        raise ValueError(f"there is no built page {missing[0]}: run `make book`, or choose from {', '.join(pages)}")
    for name in names or pages:
        print(print_page(pages[name], browser).relative_to(store.ROOT))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
