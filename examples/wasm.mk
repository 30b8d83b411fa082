# The modules of the examples; plugins/wasm.mk includes this. `avxrt build` in their folders
# makes larger ones, which name source lines when they trap.

EXAMPLES = 03-wildcard/plugins/count.wasm 04-state/plugins/carts.wasm 05-emit/plugins/split.wasm 05-emit/plugins/tally.wasm \
       06-retry/plugins/convert.wasm 07-timers/plugins/remind.wasm 08-config-and-limits/plugins/primes.wasm \
       10-languages/plugins/c.wasm 10-languages/plugins/rust.wasm 10-languages/plugins/assemblyscript.wasm 11-embed/plugins/votes.wasm
WASM += $(addprefix examples/,$(EXAMPLES))

GO_WASM = GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w"

wasm: wasm-examples

.PHONY: wasm-examples
wasm-examples: wasm-tools $(ASC)
	$(CLANG_WASM) -o examples/03-wildcard/plugins/count.wasm examples/03-wildcard/count.c
	$(RUSTC_WASM) -o examples/04-state/plugins/carts.wasm examples/04-state/main.rs
	$(CLANG_WASM) -o examples/05-emit/plugins/split.wasm examples/05-emit/split/split.c
	$(CLANG_WASM) -o examples/05-emit/plugins/tally.wasm examples/05-emit/tally/tally.c
	$(GO_WASM) -o examples/06-retry/plugins/convert.wasm ./examples/06-retry/convert
	$(CLANG_WASM) -o examples/07-timers/plugins/remind.wasm examples/07-timers/remind.c
	$(RUSTC_WASM) -o examples/08-config-and-limits/plugins/primes.wasm examples/08-config-and-limits/main.rs
	$(CLANG_WASM) -o examples/10-languages/plugins/c.wasm examples/10-languages/c/count.c
	$(RUSTC_WASM) -o examples/10-languages/plugins/rust.wasm examples/10-languages/rust/main.rs
	$(ASC_WASM) -o examples/10-languages/plugins/assemblyscript.wasm examples/10-languages/count.ts
	$(CLANG_WASM) -o examples/11-embed/plugins/votes.wasm examples/11-embed/votes/votes.c
