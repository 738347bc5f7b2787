# `make reproduce` (the paper on the built-in organism, with its report), `make test` (the tests), `make lint` (formatting and
# clang-tidy) and `make docs` (a site of the pages, with an API reference). Each does its own set-up.
# Variables: TORCH_ROOT=DIR (your own libtorch), JOBS=N, PRESET=release|ci, OUT=DIR and SEEDS=N for reproduce.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help reproduce test setup setup-test setup-lint setup-docs configure build format-check format lint docs clean

PRESET ?= release
JOBS ?= $(shell nproc)
OUT ?= results
SEEDS ?= 3
TORCH_ROOT ?=
export TORCH_ROOT
CONFIGURE := cmake --preset $(PRESET) $(if $(TORCH_ROOT),-DTORCH_ROOT="$(TORCH_ROOT)",-UTORCH_ROOT)
SOURCES := git ls-files -z -- '*.cpp' '*.hpp'

help:
	@sed -n '1,3s/^# //p' Makefile

reproduce: setup
	$(CONFIGURE) -DSEAWALL_BUILD_TESTS=OFF -DSEAWALL_BUILD_BENCH=OFF
	cmake --build build -j $(JOBS) --target seawall_program
	build/seawall reproduce --out $(OUT) --seeds $(SEEDS)
	build/seawall report $(OUT)

# Ends with ctest's closing line, after a word on every test that was skipped and why.
test: setup-test
	$(CONFIGURE) -DSEAWALL_BUILD_TESTS=ON -DSEAWALL_BUILD_BENCH=ON
	cmake --build build -j $(JOBS)
	ctest --test-dir build -j 2 --output-on-failure --no-tests=error --no-label-summary | tee build/ctest.log
	@grep -B 1 '^\[  SKIPPED \] .*ms)' build/Testing/Temporary/LastTest.log || true
	@grep 'tests passed' build/ctest.log

setup:
	@cmake/setup build torch

setup-test:
	@cmake/setup build test torch oracle exchange nvrtc smollm2

setup-lint:
	@cmake/setup build test torch

setup-docs:
	@cmake/setup docs

configure: setup
	$(CONFIGURE)

build: configure
	cmake --build build -j $(JOBS)

format-check:
	@$(SOURCES) | xargs -0 -r clang-format --dry-run -Werror
	@echo "format: $$($(SOURCES) | tr -cd '\0' | wc -c) files as clang-format wants them"

format:
	@$(SOURCES) | xargs -0 -r clang-format -i

lint: setup-lint format-check
	@cmake --preset tidy $(if $(TORCH_ROOT),-DTORCH_ROOT="$(TORCH_ROOT)",-UTORCH_ROOT) >/dev/null
	@python3 cmake/lint.py --build build/tidy --jobs $(JOBS)

# The pages keep their places, so that links between them, and to examples, hold in the site as in the tree.
docs: setup-docs
	rm -rf build/site && mkdir -p build/site/pages
	git ls-files -z -- '*.md' docs examples | xargs -0 cp --parents -t build/site/pages
	doxygen cmake/Doxyfile
	"$${SEAWALL_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/seawall}/docs/python" -m mkdocs build --strict
	@echo "docs: build/site/html/index.html"

clean:
	rm -rf build
