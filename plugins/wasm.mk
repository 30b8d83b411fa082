# How the committed modules are built. The same compilers give the same bytes anywhere:
# paths are left out, sections that name the builder are stripped. CI rebuilds them and
# checks that the tree stays clean (Debian 12: clang 14, lld 14, rustc 1.63; Go of go.mod).

WASM = plugins/inventory.wasm plugins/analytics.wasm plugins/email.wasm plugins/logging.wasm plugins/metrics.wasm plugins/audit.wasm plugins/notification.wasm \
       examples/01-hello-subscriber/plugins/hello.wasm \
       internal/sandbox/testdata/probe.wasm internal/sandbox/testdata/probe2.wasm internal/sandbox/testdata/planted.wasm \
       runtime/testdata/ledger.wasm runtime/testdata/ledger-broken.wasm \
       runtime/testdata/tally.wasm runtime/testdata/tally2.wasm runtime/testdata/tally2-migrates.wasm \
       runtime/testdata/tally2-bad1.wasm runtime/testdata/tally2-bad2.wasm runtime/testdata/tally2-bad3.wasm runtime/testdata/tally2-bad4.wasm \
       $(addprefix abi/abitest/guests/,conform-c.wasm conform-cpp.wasm conform-rust.wasm conform-as.wasm raw.wasm) \
       $(addprefix bench/guests/,lang-c.wasm lang-rust.wasm lang-as.wasm) \
       bench/guests/work-c.wasm bench/guests/work-rust.wasm \
       bench/peers/wasmarea/guests/ours.wasm bench/peers/wasmarea/guests/extism.wasm

# The first rustc that has the target: the one on PATH may not.
RUSTC := $(firstword $(foreach r,$(shell which rustc 2>/dev/null) /usr/bin/rustc,$(if $(wildcard $(shell $(r) --target wasm32-unknown-unknown --print target-libdir 2>/dev/null)/libcore*.rlib),$(r))))

RUSTC_WASM = $(RUSTC) --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort -C strip=symbols \
    -C lto=yes --remap-path-prefix "$(CURDIR)=."

# clang runs wasm-opt where it finds one, and the bytes are others then: keep binaryen off the PATH.
CLANG_WASM = clang --target=wasm32 -O2 -mbulk-memory -Wall -Wextra -Werror -nostdlib -Isdk/c -Wl,--no-entry -Wl,--strip-all

# AssemblyScript's compiler is the one of sdk/assemblyscript/package-lock.json; it runs from here,
# so that the file names in a trap are the same anywhere.
ASC = sdk/assemblyscript/node_modules/.bin/asc
ASC_WASM = $(ASC) -O3 --runtime minimal

$(ASC): sdk/assemblyscript/package-lock.json | wasm-tools
	npm ci --prefix sdk/assemblyscript --no-audit --no-fund
	@touch $@

.PHONY: wasm
wasm: wasm-tools $(ASC)
	$(CLANG_WASM) -o plugins/inventory.wasm plugins/inventory/inventory.c
	$(CLANG_WASM) -o plugins/logging.wasm plugins/logging/logging.c
	$(ASC_WASM) -o plugins/notification.wasm plugins/notification/notification.ts
	$(CLANG_WASM) -o examples/01-hello-subscriber/plugins/hello.wasm examples/01-hello-subscriber/hello.c
	$(CLANG_WASM) -o internal/sandbox/testdata/probe.wasm internal/sandbox/testdata/probe.c
	$(CLANG_WASM) -DVERSION='"2"' -o internal/sandbox/testdata/probe2.wasm internal/sandbox/testdata/probe.c
	$(CLANG_WASM) -o runtime/testdata/ledger.wasm runtime/testdata/ledger.c
	$(CLANG_WASM) -DBROKEN -o runtime/testdata/ledger-broken.wasm runtime/testdata/ledger.c
	$(CLANG_WASM) -o runtime/testdata/tally.wasm runtime/testdata/tally.c
	$(CLANG_WASM) -DV2 -o runtime/testdata/tally2.wasm runtime/testdata/tally.c
	$(CLANG_WASM) -DV2 -DMIGRATE -o runtime/testdata/tally2-migrates.wasm runtime/testdata/tally.c
	for n in 1 2 3 4; do $(CLANG_WASM) -DV2 -DMIGRATE -DBAD=$$n -o runtime/testdata/tally2-bad$$n.wasm runtime/testdata/tally.c || exit 1; done
	clang --target=wasm32 -O1 -g -mbulk-memory -Wall -Wextra -Werror -nostdlib -Isdk/c -Wl,--no-entry -ffile-prefix-map=$(CURDIR)=. \
	    -o internal/sandbox/testdata/planted.wasm internal/sandbox/testdata/planted.c
	$(CLANG_WASM) -o bench/guests/work-c.wasm bench/guests/work.c
	$(CLANG_WASM) -o bench/peers/wasmarea/guests/ours.wasm bench/peers/wasmarea/guests/ours.c
	$(CLANG_WASM) -o bench/peers/wasmarea/guests/extism.wasm bench/peers/wasmarea/guests/extism.c
	$(RUSTC_WASM) -o bench/guests/work-rust.wasm bench/guests/work.rs
	$(RUSTC_WASM) -o plugins/analytics.wasm plugins/analytics/analytics.rs
	$(RUSTC_WASM) -o plugins/metrics.wasm plugins/metrics/metrics.rs
	$(RUSTC_WASM) -o plugins/audit.wasm plugins/audit/audit.rs
	$(CLANG_WASM) -o abi/abitest/guests/conform-c.wasm abi/abitest/guests/conform.c
	$(CLANG_WASM) -x c++ -o abi/abitest/guests/conform-cpp.wasm abi/abitest/guests/conform.c
	$(RUSTC_WASM) -o abi/abitest/guests/conform-rust.wasm abi/abitest/guests/conform.rs
	$(ASC_WASM) -o abi/abitest/guests/conform-as.wasm abi/abitest/guests/conform.ts
	$(CLANG_WASM) -o bench/guests/lang-c.wasm bench/guests/lang.c
	$(RUSTC_WASM) -o bench/guests/lang-rust.wasm bench/guests/lang.rs
	$(ASC_WASM) -o bench/guests/lang-as.wasm bench/guests/lang.ts
	wat2wasm -o abi/abitest/guests/raw.wasm abi/abitest/guests/raw.wat
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" -o plugins/email.wasm ./plugins/email
	chmod 644 $(WASM)

.PHONY: wasm-tools
wasm-tools:
	@command -v clang >/dev/null && command -v wasm-ld >/dev/null || { echo "make wasm needs clang and wasm-ld: apt-get install clang lld" >&2; exit 1; }
	@test -n "$(RUSTC)" || { echo "make wasm needs a rustc with wasm32-unknown-unknown: apt-get install rustc libstd-rust-dev-wasm32, or rustup target add wasm32-unknown-unknown" >&2; exit 1; }
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { echo "make wasm needs node 20 or later and npm for AssemblyScript's compiler, this is $$(node --version 2>&1): https://nodejs.org, or see .ci/run for one from npm" >&2; exit 1; }
	@command -v wat2wasm >/dev/null || { echo "make wasm needs wat2wasm: apt-get install wabt" >&2; exit 1; }

include examples/wasm.mk
