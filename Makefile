# Everything that is done with DrinkStream, by one name each. Settings are DRINKSTREAM_* variables (docs/settings.md):
#   make up DRINKSTREAM_WEB_PORT=8001
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install up down status logs clean check test test-faults bench evaluate schema sums

# settings given as `make up DRINKSTREAM_X=y` reach the programs
export $(filter DRINKSTREAM_%,$(.VARIABLES))

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

install:  ## Python packages and jars, each checked by its hash (make up does it too)
	@test -n "$(PYTHON)" || { echo "DrinkStream needs Python 3.11, and there is no Python: make PYTHON=/path/to/python3.11 ..." \
		"(Debian 12: sudo apt-get install -y python3 python3-venv)" >&2; exit 3; }
	@$(PYTHON) -m stack.install

up: install  ## start everything and print the addresses; ONLY=kafka,web for some of it
	@$(VENV) -m stack.up $(if $(ONLY),--only $(ONLY))

down:  ## stop everything, nothing is left running; ONLY=kafka,web for some of it
	@test ! -x $(VENV) || $(VENV) -m stack.down $(if $(ONLY),--only $(ONLY))

status: $(VENV)  ## what runs, where, and what became of every record
	@$(VENV) -m stack.status

logs: $(VENV)  ## follow the logs; ONLY=speed,web for some of them
	@$(VENV) -m stack.logs $(subst $(comma), ,$(ONLY))

clean:  ## remove data, logs and passwords; ALL=1 downloads and packages too
	@test ! -x $(VENV) || $(VENV) -m stack.clean $(if $(ALL),--all)
	@$(if $(ALL),rm -rf .venv .uv)

check: $(VENV)  ## lint and types
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m mypy

test: install  ## the whole suite; ARGS=tests/unit for a part of it
	@$(VENV) -m pytest $(ARGS)

test-faults: install  ## 200 kills of random processes under load; goes on where it was stopped (ARGS=--anew)
	@$(VENV) -m tests.faults $(ARGS)

bench: install  ## the benchmark suite; some rows of it, or goes on: ARGS="drain freshness", ARGS=--list
	@$(VENV) -m bench $(ARGS)

evaluate: $(VENV)  ## accuracy on the posts labelled by hand; ARGS=--errors lists what is wrong
	@$(VENV) -m bench.evaluate $(ARGS)

schema: $(VENV)  ## the CQL that the administrator of a Cassandra elsewhere has to run
	@$(VENV) -m stack.schema

sums: $(VENV)  ## after a change of stack/ivy.xml: write stack/jars.sha256 anew
	@$(VENV) -m stack.jars --write-sums

$(VENV):
	@echo "nothing is installed yet: make install" >&2; exit 3

comma := ,
