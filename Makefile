include plugins/wasm.mk
