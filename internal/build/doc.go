// Package build makes a module of a project's sources with the compiler of its language.
//
// # What it promises
//
//   - A project is a folder with sources of one language; [Find] tells which, and where its
//     module belongs by the manifest beside it.
//   - The module's file is replaced by rename, and only when its bytes differ: who watches it
//     sees whole modules, and none that is the same as before.
//   - What the compiler says is passed on as it says it, with paths from the project's folder.
//   - A toolchain that is missing or too old is a [*MissingError], which says how to get one on
//     Debian and with Homebrew. Nothing is downloaded or installed.
//   - The same compiler makes the same module anywhere: no path of the machine is in it.
//   - A Rust project with a Cargo.toml is built by cargo, with the author's profile, flags and
//     packages, from what cargo has on this machine.
//
// # What it does not
//
// It does not look at what came out: whether a node would take it, avxrt inspect says.
package build
