# `make help` lists what there is. Variables: PROFILE, NAME, ARGS, JOBS, A, B, QUICK, DATA, SWEEP, WHERE, PYTHON.
PYTHON ?= python3
PROFILE ?= quick
JOBS ?= 2
DATA ?= data
VENV := .venv
RUN := $(VENV)/bin/python -m
INSTALLED := $(VENV)/.installed
SWEEP ?= workflow/example.yml
WHERE ?= default
SNAKEMAKE := workflow/.venv/bin/snakemake

.PHONY: help book test chapter own sweep classroom slides handouts pdf lab claims verify links check-data address clean
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

book: $(INSTALLED)  ## run every chapter that is out of date and build the book (PROFILE=quick)
	$(RUN) book.press run --profile '$(PROFILE)' --jobs $(JOBS)
	$(RUN) book.press build --profile '$(PROFILE)'

test: $(INSTALLED)  ## lint, run what chapters are out of date, solutions of their exercises too, and test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright --pythonpath $(VENV)/bin/python
	$(RUN) book.press run --jobs $(JOBS)
	OMP_NUM_THREADS=1 $(RUN) pytest -q --doctest-modules lib
	OMP_NUM_THREADS=1 $(RUN) pytest -q -rs -n $(JOBS) --dist worksteal tests

chapter: $(INSTALLED)  ## run one chapter with other parameters and build its page (NAME=..., ARGS="-p draws 50")
	@test -n "$(NAME)" || { $(RUN) book.press list; echo 'say which: make chapter NAME=...'; exit 2; }
	$(RUN) book.press run $(NAME) --profile '$(PROFILE)' --label custom $(value ARGS)
	$(RUN) book.press page $(NAME) --label custom

# Paths reach the shell through its environment, and `value` keeps make from expanding them, so they may hold any
# character. They start where the caller's shell stands: make -C, too, leaves PWD there. After a comma another path
# starts there, a seed, if there is such a file, with an array and a position or without: names hold commas too.
unexport A B
own: export OWN_A = $(value A)
own: export OWN_B = $(value B)
own: export OWN_FROM = $(or $(value PWD),$(CURDIR))
from_here = "$$(set -f; cd "$$OWN_FROM"; [ -e "$$$(1)" ] && IFS= || IFS=,; comma=; for one in $$$(1); do \
	case "$$one" in [/~]*) here= ;; *) here="$$OWN_FROM/" ;; esac; \
	[ ! "$$comma" ] || [ -e "$$one" ] || [ -e "$${one%:*}" ] || [ -e "$${one%:*:*}" ] || here=; \
	printf %s "$$comma$$here$$one"; comma=,; done)"

FIRST_LOOK := -p most_stimuli 4000 -p sae_steps 500 -p most_scanned 0 -p folds 3 -p sae_layers False
define report  # label, parameters
@rm -rf build/$(1)/page
@$(RUN) book.press run 13_your_networks --profile '$(PROFILE)' --label $(1) --jobs 1 --no-exercises $(2) $(value ARGS) \
	$(if $(value A)$(value B),-p a $(call from_here,OWN_A) -p b $(call from_here,OWN_B))
$(RUN) book.press page 13_your_networks --label $(1) --open
endef

own: $(INSTALLED)  ## compare two networks of your own (A=first.npy B=second.npy, QUICK=1 for a first look before it)
	@$(if $(value A)$(value ARGS),:,echo 'say which: make own A=first.npy B=second.npy'; exit 2)
	$(if $(QUICK),$(call report,own-first,$(FIRST_LOOK)))
	$(call report,own)

sweep: $(INSTALLED) $(SNAKEMAKE)  ## run chapters x parameters x seeds, here or by SLURM (SWEEP=file.yml, WHERE=slurm)
	$(SNAKEMAKE) -s workflow/Snakefile --workflow-profile workflow/profiles/$(WHERE) --config sweep=$(SWEEP) $(value ARGS)

classroom: $(INSTALLED)  ## write notebooks for teachers and, without solutions, for students (NAME=..., or all)
	$(RUN) book.press classroom $(NAME)

slides: $(INSTALLED)  ## make slides of built chapters, with notes for who speaks (NAME=..., or all)
	$(RUN) book.press slides $(NAME)

handouts: $(INSTALLED)  ## print one A4 page for each built chapter, and one of the metrics (NAME=..., or all)
	$(RUN) book.press handouts $(NAME)

pdf: $(INSTALLED)  ## print the built book as one PDF file, or a page of it (NAME=...)
	$(RUN) book.press pdf $(NAME)

lab: $(INSTALLED)  ## open chapters in JupyterLab, as notebooks of your own in build/lab (NAME=..., or all)
	@$(RUN) book.press lab --profile '$(PROFILE)' $(NAME)
	$(VENV)/bin/jupyter lab --notebook-dir=build/lab $(addsuffix .ipynb,$(addprefix build/lab/,$(NAME)))

claims: $(INSTALLED)  ## print the verdict on every claim (PROFILE=quick)
	@$(RUN) book.press claims --profile '$(PROFILE)'

verify: $(INSTALLED)  ## run a small part of recorded runs again and compare (PROFILE=paper)
	$(RUN) book.press verify --profile '$(PROFILE)' --jobs $(JOBS)

links: $(INSTALLED)  ## ask every address outside that the book names, which opens the network
	ONLINE=1 $(RUN) pytest -q tests/test_links.py -k answer

check-data: $(INSTALLED)  ## say which data sets of the larger runs are there, missing or damaged (DATA=data)
	@$(RUN) book.press check-data --root $(DATA)

address: $(INSTALLED)  ## tell README.md and CITATION.cff where _config.yml says that the book is
	@$(RUN) book.press address

clean:  ## delete the runs of PROFILE and the built pages, keep the installation
	@case '$(PROFILE)' in ''|*[!A-Za-z0-9_-]*) \
		echo "PROFILE='$(PROFILE)' is no folder of build/: write letters, digits, - and _" >&2; exit 2 ;; esac
	rm -rf build/$(PROFILE) build/custom build/own build/own-first _build book/chapters

# Snakemake has an environment of its own: it asks for older versions of packages that the book uses. It takes the extra
# `workflow` without the project itself, whose packages it does not need.
$(SNAKEMAKE): workflow/constraints.txt
	$(PYTHON) -m venv workflow/.venv
	workflow/.venv/bin/pip install --quiet --disable-pip-version-check -c workflow/constraints.txt $$($(PYTHON) -c \
		"import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['workflow'])")
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book,lab,test]'
	@touch $@
