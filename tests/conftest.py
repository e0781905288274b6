"""Hypothesis draws the same examples in every run and sets no time limit for one."""

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("same")
