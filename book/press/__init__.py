"""What works on notebooks that have run: the runner, the pages, slides, copies for a class."""
