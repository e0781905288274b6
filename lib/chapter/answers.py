"""Check cells of the exercises: a reader's number against that of the run, in one sentence that says what is wrong."""

from collections.abc import Mapping
from math import isfinite
from typing import Any


class _Sentence(str):
    """A text that a notebook's cell shows without quotes."""

    def __repr__(self) -> str:
        return str(self)


def check(answer: Any, right: Any, mistakes: Mapping[Any, str] | None = None, digits: int = 3) -> str:
    """What to tell a reader whose number is `answer`, None if there is none yet.

    An answer is right that rounds to `right` at as many decimals as the question asks for, `digits`, unless a known
    one of the `mistakes` is nearer. Numbers that mistakes lead to are met with their reason, others with how far they
    are off. Raises ValueError for what is no finite number.

    >>> check(0.2, right=0.2**0.5, mistakes={0.2: "That is the square: take the root."})
    That is the square: take the root.
    """
    wanted = _number(right, "right")
    if answer is None:
        return _Sentence("Put your number in place of None.")
    given = _number(answer, "the answer")
    known = {_number(wrong, "a mistake"): reason for wrong, reason in (mistakes or {}).items()}
    nearest = min(known, key=lambda wrong: abs(wrong - given), default=float("inf"))
    nearer = abs(nearest - given) < abs(wanted - given) and abs(given - round(wanted, digits)) > 1e-9
    if _same(given, wanted, digits) and not nearer:
        return _Sentence(f"Right: {wanted:,.{digits}f}.")
    if _same(given, nearest, digits):
        return _Sentence(known[nearest])
    return _Sentence(_off(given, wanted, digits))


def _number(value, name):
    """As a float; one line says what is none, and neither a text nor True is."""
    try:
        number = float("nan" if isinstance(value, str | bool) else value)
    except (TypeError, ValueError, RuntimeError):
        number = float("nan")
    if not isfinite(number):
        raise ValueError(f"{name} is {' '.join(repr(value).split())[:60]}, which is no number: give one, as 0.5")
    return number


def _same(a, b, digits):
    return abs(a - b) <= 0.5 * 10.0**-digits * (1 + 1e-6)  # a number just rounded is half a step away


def _off(given, wanted, digits):
    """How far an unknown wrong number is from the right one."""
    if given * wanted < 0:
        return "Its sign is wrong."
    if given == 0 or wanted == 0:
        return f"Too {'large' if given > wanted else 'small'}: it is {'not 0' if given == 0 else 'smaller in size'}."
    factor = max(given / wanted, wanted / given)
    size = "large" if abs(given) > abs(wanted) else "small"
    if f"{factor:.2f}" == "1.00":
        return f"Nearly, but a little too {size}: give it to {digits} decimals."
    return f"Too {size}, by a factor of {factor:.{2 if factor < 10 else 0}f}."
