# The modules of the examples; plugins/wasm.mk includes this.

EXAMPLES_C = examples/03-wildcard/plugins/count.wasm examples/05-emit/plugins/split.wasm examples/05-emit/plugins/tally.wasm \
       examples/07-timers/plugins/remind.wasm
EXAMPLES_RUST = examples/04-state/plugins/carts.wasm examples/08-config-and-limits/plugins/primes.wasm

WASM += $(EXAMPLES_C) $(EXAMPLES_RUST) examples/06-retry/plugins/convert.wasm examples/11-embed/plugins/votes.wasm \
       examples/10-languages/plugins/c.wasm examples/10-languages/plugins/rust.wasm examples/10-languages/plugins/assemblyscript.wasm

RUSTC_WASM = $(RUSTC) --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort -C strip=symbols -C lto=yes --remap-path-prefix "$(CURDIR)=."

wasm: wasm-examples

.PHONY: wasm-examples
wasm-examples: wasm-tools $(ASC)
	$(foreach m,$(EXAMPLES_C),$(CLANG_WASM) -o $(m) $(subst /plugins/,/,$(m:.wasm=.c)) &&) true
	$(foreach m,$(EXAMPLES_RUST),$(RUSTC_WASM) -o $(m) $(subst /plugins/,/,$(m:.wasm=.rs)) &&) true
	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w" -o examples/06-retry/plugins/convert.wasm ./examples/06-retry/convert
	$(CLANG_WASM) -o examples/10-languages/plugins/c.wasm examples/10-languages/count.c
	$(RUSTC_WASM) -o examples/10-languages/plugins/rust.wasm examples/10-languages/count.rs
	$(ASC_WASM) -o examples/10-languages/plugins/assemblyscript.wasm examples/10-languages/count.ts
	$(CLANG_WASM) -o examples/11-embed/plugins/votes.wasm examples/11-embed/votes/votes.c
