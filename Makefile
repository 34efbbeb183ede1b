# make demo    a Matrix room and an IRC channel that talk, on this machine (ONCE=1: one scripted conversation)
# make test    static checks, then unit, contract and integration tests on real servers
# make check   static checks only
# make faults  only the faults on real servers, and power cuts at every write: ten minutes
# make bench   what carrying a message costs, beside what it costs without us (ARGS: see docs/benchmarks.md)
# make bench-downloads  what large downloads by links cost the messages meanwhile
# make bench-scale  what 1,000 links, 20,000 members and 200 waiting rooms cost: six minutes
# make bench-users  what an allowlist of 10,000 users costs
# make soak    ten minutes of messages and random faults (ARGS="--minutes 1"; see docs/benchmarks.md)
# make page   write docs/what-becomes-what.md and docs/reference anew, after a change of tests/cases or of the program
# make release  sdist, wheel, SBOM and checksums of what is committed, in dist/
# make clean   remove what the above have made in this folder

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# A Matrix client that is not ours, for the tests
CLIENT := tests/integration/js
# Most tests wait for servers, and those of a file share theirs. Files start in the order of their folders: the slowest
# have the fewest tests, and would come last
SIDE_BY_SIDE := -n 6 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check faults bench bench-downloads bench-scale bench-users soak page release clean

demo: $(INSTALLED)
	@$(BIN)/quackbridge demo $(if $(filter-out 0,$(ONCE)),--once)

test: check $(CLIENT)/node_modules
	@scripts/debian-packages python3-venv inspircd ngircd anope znc strace prometheus chromium bubblewrap postgresql redis-server
	$(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS)

check: $(INSTALLED)
	@! grep -rnE '^(<<<<<<<|>>>>>>>) ' README.md CHANGELOG.md CONTRIBUTING.md docs || { echo "Both sides of a merge"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: $(INSTALLED)
	@scripts/debian-packages inspircd ngircd anope znc strace
	$(BIN)/pytest -n 3 --dist loadfile tests/faults tests/durability -m "long or not long" $(ARGS)

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks.carry $(ARGS)

bench-downloads: $(INSTALLED)
	@$(BIN)/python -m benchmarks.downloads $(ARGS)

bench-scale: $(INSTALLED)
	@$(BIN)/python -m benchmarks.scale $(ARGS)

bench-users: $(INSTALLED)
	@$(BIN)/python -m benchmarks.users $(ARGS)

soak: $(INSTALLED)
	@scripts/debian-packages inspircd anope strace
	@$(BIN)/python -m tests.faults.soak $(ARGS)

$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "quackbridge needs Python 3.11 or newer; point to one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV): this takes a minute or two, once."
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,demo]'
	@touch $@

$(CLIENT)/node_modules: $(CLIENT)/package-lock.json
	@scripts/npm-packages $(CLIENT)

page: $(INSTALLED)
	@scripts/what-becomes-what
	@$(BIN)/python -m tests.reference

release: $(INSTALLED)
	@scripts/release

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info $(CLIENT)/node_modules
	find bridge bots tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
