"""Timings and long runs, `python -m benchmarks.NAME`. A package, since pyarrow 17 installs another of this name."""
