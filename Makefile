# 'make study' runs the studies and 'make test' the tests; both set up what they need first.
#   make study ARGS="--seeds 0-9"      options of 'bnbench run', for all studies
#   make study PYTHON=python3.12       the Python that makes the environment
#   make study VENV=/path              the folder of the environment
#   make test PYTEST_ARGS="-k gate"    more options of pytest

PYTHON ?= python3
VENV ?= .venv
# What CI installs is pinned; pyproject.toml declares the ranges that work.
TORCH ?= torch==2.14.1 torchvision==0.29.1
ARGS ?=
BENCH_ARGS ?=
PEERS_ARGS ?=
PYTEST_ARGS ?=
# Test processes side by side. Tests of one xdist_group share a process.
TEST_PROCESSES ?= 2
# Seconds per fuzz target.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS := answer gzip idx manifest npy npz pickle program pt2 safetensors stored_zip
# The other torch whose LibTorch 'make other-torch' builds the evaluator against.
OTHER_TORCH ?= torch==2.11.0

BIN := $(abspath $(VENV))/bin
STAMPS := $(VENV)/.stamps
# The editable installation lists the Python modules: a new or moved one needs it made again.
BUILD_STAMP := $(STAMPS)/build-$(shell find bnbench -name '*.py' | LC_ALL=C sort | cksum | cut -d' ' -f1)
PIP := "$(BIN)/python" -m pip install -q --disable-pip-version-check
CPP_SOURCES := CMakeLists.txt $(shell find cpp -type f -not -path 'cpp/fuzz/corpus/*')
# What 'make check' gives to clang-tidy: sources without large headers, which take it 20 s each.
TIDY_SOURCES := $(shell grep -LE 'ATen|torch/|caffe2|CLI/|nlohmann|training_mode.h' \
  $$(find cpp/app cpp/bnbench -name '*.cc' ! -name '*_test.cc' ! -name 'kernels_*'))
# Prints what clang-tidy finds. On stderr it also counts the warnings of system headers, which it does
# not show: that line alone is left out.
TIDY := report=$$(clang-tidy -p "$$0" --quiet "$$@" 2>&1 >&3); status=$$?; \
  printf "%s\n" "$$report" | grep -vxE "([0-9]+ warnings? generated\.)?" >&2; exit $$status
# The one build of the C++ side: program, Python module and tests.
CPP_BUILD := build/dev
# Editable: Python sources are used as they are. A changed C++ source is built at the next 'make'.
INSTALL := $(PIP) --no-build-isolation --config-settings=build-dir=$(CPP_BUILD) \
  --config-settings=cmake.define.BNBENCH_BUILD_TESTS=ON --editable
PYTEST := python -m pytest -n $(TEST_PROCESSES) --dist loadgroup
export PATH := $(BIN):$(PATH)
# Where cpp/prepare-system.sh unpacks headers that can't be installed.
export CMAKE_PREFIX_PATH := $(abspath $(VENV))/system/usr:$(CMAKE_PREFIX_PATH)

.PHONY: help study techniques test test-slow test-all setup data check bench peers fuzz sanitize other-torch clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^## //p' Makefile

## make study   set up, run the notebook study and four tuned ones, write their reports
study: setup data
	bnbench run --study fair $(ARGS)

## make techniques   set up, run each technique alone, then the best ones combined
techniques: setup data
	bnbench run --study techniques $(ARGS)
	bnbench run --combine "$$(ls -td runs/techniques-* | head -n 1)"

## make test    set up, run every test that takes about a second or less, Python and C++
test: setup data
	ctest --test-dir $(CPP_BUILD) --output-on-failure --parallel $(TEST_PROCESSES)
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

## make test-slow   the other tests
test-slow: setup data
	$(PYTEST) -m slow $(PYTEST_ARGS)

## make test-all    every test
test-all: test test-slow

## make check   lint and type checks
check: setup
	ruff check .
	ruff format --check .
	codespell
	lint-imports
	mypy
	@if command -v clang-tidy >/dev/null; then \
	  printf '%s\n' $(TIDY_SOURCES) | \
	    xargs -P $(TEST_PROCESSES) -n 4 sh -c '$(TIDY)' $(CPP_BUILD) 3>&1; \
	else echo "check: clang-tidy is missing, the C++ side was not checked; apt-get install clang-tidy" >&2; fi

## make bench   the benchmarks: pytest --benchmark-only
bench: setup data
	python -m pytest --benchmark-only $(BENCH_ARGS)

## make peers   other frameworks' time per epoch beside ours (installs them; about 15 minutes)
peers: setup data
	$(INSTALL) ".[dev,peers]"
	python -m bench.peers $(PEERS_ARGS)

## make fuzz    fuzz the C++ readers of files with sanitizers (clang++); FUZZ_SECONDS a target
fuzz: $(STAMPS)/build-tools
	@command -v clang++ >/dev/null || { echo "fuzz: expected clang++ with libFuzzer, got none; \
	install it, on Debian or Ubuntu with: apt-get install clang libclang-rt-dev" >&2; exit 2; }
	cmake --preset fuzz
	cmake --build --preset fuzz
	cd build/fuzz/cpp/fuzz && for target in $(FUZZ_TARGETS); do \
	  ./fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	    -artifact_prefix=$$target- found/$$target "$(abspath cpp/fuzz/corpus)/$$target" || exit 1; \
	done

## make sanitize   run the C++ tests and Python's of _native with address and undefined-behavior sanitizers
sanitize: setup
	cmake --preset asan
	cmake --build --preset asan --parallel $(TEST_PROCESSES)
	ctest --preset asan --parallel $(TEST_PROCESSES)

## make other-torch   build the evaluator against OTHER_TORCH (a gigabyte), compare it with this one
other-torch: setup data
	python cpp/other_torch.py "$(OTHER_TORCH)"

## make setup   only set up: environment, packages, C++ build
setup: $(BUILD_STAMP)

data: setup
	bnbench data

$(STAMPS)/environment: cpp/prepare-system.sh
	cpp/prepare-system.sh $(PYTHON) $(VENV)/system
	test -x "$(BIN)/python" || $(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/torch: $(STAMPS)/environment
	$(PIP) $(TORCH)
	touch $@

$(STAMPS)/build-tools: $(STAMPS)/torch
	$(PIP) "scikit-build-core>=0.10" "pybind11>=2.13" "cmake>=3.25" "ninja>=1.11"
	touch $@

$(BUILD_STAMP): $(STAMPS)/build-tools pyproject.toml $(CPP_SOURCES)
	$(INSTALL) ".[dev]"
	# Without its dependencies: change points need NumPy and SciPy alone, and it pins old versions.
	$(PIP) --no-deps "apache-otava>=0.8"
	touch $@

## make clean   remove the builds (the environment and the runs stay)
clean:
	rm -rf build $(BUILD_STAMP)
