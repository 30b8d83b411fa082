# make demo    see it work (ONCE=1: check the totals and end)
# make test    the tests, with -race where a C compiler exists, a tenth of the fault sizes
# make check   format, vet, the law of the house
# make faults  the fault tests at CI size; make soak: at release size
# make fuzz    every fuzz target for FUZZTIME (30s)
# make bench   the benchmarks with their baselines
# make bench-peers AREA=log [QUICK=1]   rivals and ours alternately (module bench/peers)
# make docs    write docs/manifest.md, docs/errors.md and docs/avxrt.schema.json from the code
# make wasm    rebuild the committed modules (needs clang, lld, rustc; see plugins/wasm.mk)

.PHONY: demo test check docs faults soak fuzz bench bench-peers bench-peers-build vuln

# Not by go run, which takes the ^C that ends a node for a failure.
demo:
	@test -x bin/avxrt || echo "building avxrt; the first time this takes a minute or more"
	@go build -o bin/avxrt ./cmd/avxrt
	@bin/avxrt demo $(if $(ONCE),--once)

# The race detector needs cgo, that is, a C compiler.
RACE := $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)

test:
	@test -n "$(RACE)" || echo "no C compiler: the tests run without -race" >&2
	go test $(RACE) -count=1 -timeout 30m ./...

check:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt'd: $$unformatted" >&2; exit 1; }
	go vet ./...
	go test -count=1 ./internal/lint

docs:
	AVXRT_WRITE_DOCS=1 go test -count=1 -run TestGeneratedFiles ./cmd/avxrt

# The last two inject no faults; the race detector leaves out a share of what they compute.
FAULTS = ./log ./runtime ./internal/delivery ./internal/wasmbin ./internal/sandbox ./cmd/avxrt ./plugins ./abi/abitest

# The records of the fault tests become RELIABILITY.md, also when a test failed.
RECORDS = $(CURDIR)/.reliability.jsonl
# Those of the last soak stay in it.
RELEASE = internal/fault/release.jsonl
define prove
	@rm -f $(RECORDS)
	AVXRT_FAULTS=$(1) AVXRT_RELIABILITY=$(RECORDS) go test -count=1 -timeout $(2) $(FAULTS); code=$$?; \
	cat $(RELEASE) $(RECORDS) | go run ./internal/fault/table > RELIABILITY.md && cat RELIABILITY.md; exit $$code
endef

faults:
	$(call prove,ci,30m)

soak:
	$(call prove,release,12h)
	cp $(RECORDS) $(RELEASE)
	AVXRT_FAULTS=release go test -run '^$$' -bench BenchmarkLongRun -benchtime 1x -timeout 12h ./bench

FUZZTIME ?= 30s
fuzz:
	@for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for target in $$(cd $$dir && sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' *_test.go); do \
			echo "$$dir $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$dir || exit 1; \
		done; \
	done

BENCHTIME ?= 1s
bench:
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) ./bench

AREA ?= log
bench-peers-build:
	@cd bench/peers && go build -o ../../.peers .

bench-peers: bench-peers-build
	@./.peers -area $(AREA) $(if $(QUICK),-quick)

vuln:
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...

include plugins/wasm.mk
