"""Timings and long recorded runs, `python -m benchmarks.NAME`; a package, since pyarrow 17 installs one of this name."""
