"""Every page of the built book as a PDF file, printed by Chromium."""

import shutil
import subprocess
from pathlib import Path

from lib import store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Without a display; the virtual time lets MathJax finish before the page is printed.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--virtual-time-budget=20000"]


def print_page(page: Path, browser: str) -> Path:
    """Print one built page into _build/pdf. Raises ValueError if nothing was printed."""
    path = store.ROOT / "_build" / "pdf" / f"{page.stem}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    done = subprocess.run([browser, *OPTIONS, f"--print-to-pdf={path}", page.as_uri()], capture_output=True, text=True)
    if not path.exists():
        told = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ValueError(f"{browser} printed nothing of {page.name} ({told}): open it and print it by hand")
    return path


def print_pages(names: list[str]) -> None:
    """Print built pages such as 03_linear_theory, all if none is named, as _build/pdf/NAME.pdf."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise ValueError(f"none of {', '.join(BROWSERS)} is installed: install one, or print from your own browser")
    found = sorted((store.ROOT / "_build" / "html" / "book").rglob("*.html"))
    pages = {page.stem: page for page in found if ".slides" not in page.name}
    if missing := [name for name in names if name not in pages]:
        raise ValueError(f"there is no built page {missing[0]}: run `make book`, or choose from {', '.join(pages)}")
    for name in names or pages:
        print(print_page(pages[name], browser).relative_to(store.ROOT))
