# How the committed modules are built. The same compilers give the same bytes anywhere:
# paths are left out, sections that name the builder are stripped. CI rebuilds them and
# checks that the tree stays clean (Debian 12: clang 14, lld 14, rustc 1.63; Go of go.mod).

EXAMPLES_C = examples/03-wildcard/plugins/count.wasm examples/05-emit/plugins/split.wasm examples/05-emit/plugins/tally.wasm \
       examples/07-timers/plugins/remind.wasm
EXAMPLES_RUST = examples/04-state/plugins/carts.wasm examples/08-config-and-limits/plugins/primes.wasm
EXAMPLES = $(EXAMPLES_C) $(EXAMPLES_RUST) examples/06-retry/plugins/convert.wasm examples/11-embed/plugins/votes.wasm \
       examples/10-languages/plugins/c.wasm examples/10-languages/plugins/rust.wasm

WASM = plugins/inventory.wasm plugins/analytics.wasm plugins/email.wasm \
       examples/01-hello-subscriber/plugins/hello.wasm $(EXAMPLES) \
       internal/sandbox/testdata/probe.wasm internal/sandbox/testdata/probe2.wasm internal/sandbox/testdata/planted.wasm \
       runtime/testdata/ledger.wasm runtime/testdata/ledger-broken.wasm \
       bench/guests/work-c.wasm bench/guests/work-rust.wasm \
       bench/peers/wasmarea/guests/ours.wasm bench/peers/wasmarea/guests/extism.wasm

# The first rustc that has the target: the one on PATH may not.
RUSTC := $(firstword $(foreach r,$(shell which rustc 2>/dev/null) /usr/bin/rustc,$(if $(wildcard $(shell $(r) --target wasm32-unknown-unknown --print target-libdir 2>/dev/null)/libcore*.rlib),$(r))))

# clang runs wasm-opt where it finds one, and the bytes are others then: keep binaryen off the PATH.
CLANG_WASM = clang --target=wasm32 -O2 -mbulk-memory -Wall -Wextra -Werror -nostdlib -Isdk/c -Wl,--no-entry -Wl,--strip-all
RUSTC_WASM = $(RUSTC) --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort -C strip=symbols -C lto=yes --remap-path-prefix "$(CURDIR)=."

.PHONY: wasm
wasm: wasm-tools
	$(CLANG_WASM) -o plugins/inventory.wasm plugins/inventory/inventory.c
	$(CLANG_WASM) -o examples/01-hello-subscriber/plugins/hello.wasm examples/01-hello-subscriber/hello.c
	$(foreach m,$(EXAMPLES_C),$(CLANG_WASM) -o $(m) $(subst /plugins/,/,$(m:.wasm=.c)) &&) true
	$(foreach m,$(EXAMPLES_RUST),$(RUSTC_WASM) -o $(m) $(subst /plugins/,/,$(m:.wasm=.rs)) &&) true
	$(CLANG_WASM) -o examples/10-languages/plugins/c.wasm examples/10-languages/count.c
	$(RUSTC_WASM) -o examples/10-languages/plugins/rust.wasm examples/10-languages/count.rs
	$(CLANG_WASM) -o examples/11-embed/plugins/votes.wasm examples/11-embed/votes/votes.c
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" -o examples/06-retry/plugins/convert.wasm ./examples/06-retry/convert
	$(CLANG_WASM) -o internal/sandbox/testdata/probe.wasm internal/sandbox/testdata/probe.c
	$(CLANG_WASM) -DVERSION='"2"' -o internal/sandbox/testdata/probe2.wasm internal/sandbox/testdata/probe.c
	$(CLANG_WASM) -o runtime/testdata/ledger.wasm runtime/testdata/ledger.c
	$(CLANG_WASM) -DBROKEN -o runtime/testdata/ledger-broken.wasm runtime/testdata/ledger.c
	clang --target=wasm32 -O1 -g -mbulk-memory -Wall -Wextra -Werror -nostdlib -Isdk/c -Wl,--no-entry -ffile-prefix-map=$(CURDIR)=. \
	    -o internal/sandbox/testdata/planted.wasm internal/sandbox/testdata/planted.c
	$(CLANG_WASM) -o bench/guests/work-c.wasm bench/guests/work.c
	$(CLANG_WASM) -o bench/peers/wasmarea/guests/ours.wasm bench/peers/wasmarea/guests/ours.c
	$(CLANG_WASM) -o bench/peers/wasmarea/guests/extism.wasm bench/peers/wasmarea/guests/extism.c
	$(RUSTC) --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort -C strip=symbols -C lto=yes \
	    --remap-path-prefix "$(CURDIR)=." -o bench/guests/work-rust.wasm bench/guests/work.rs
	$(RUSTC) --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib \
	    -C opt-level=2 -C panic=abort -C strip=symbols -C lto=yes --remap-path-prefix "$(CURDIR)=." \
	    -o plugins/analytics.wasm plugins/analytics/analytics.rs
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" -o plugins/email.wasm ./plugins/email
	chmod 644 $(WASM)

.PHONY: wasm-tools
wasm-tools:
	@command -v clang >/dev/null && command -v wasm-ld >/dev/null || { echo "make wasm needs clang and wasm-ld: apt-get install clang lld" >&2; exit 1; }
	@test -n "$(RUSTC)" || { echo "make wasm needs a rustc with wasm32-unknown-unknown: apt-get install rustc libstd-rust-dev-wasm32, or rustup target add wasm32-unknown-unknown" >&2; exit 1; }
