// Package sdk carries the sources of the SDKs, so that avxrt can give them to new projects
// without a network. It holds nothing else.
package sdk

import "embed"

// FS has the SDKs' files: c/avx.h, c/avx_fake.h, rust/avx.rs with the two files that make it a crate,
// go/*.go (with their tests), and of assemblyscript avx.ts with the two files that pin the compiler.
//
//go:embed c/avx.h c/avx_fake.h rust/avx.rs rust/Cargo.toml rust/lib.rs go/*.go assemblyscript/avx.ts assemblyscript/package.json assemblyscript/package-lock.json
var FS embed.FS
