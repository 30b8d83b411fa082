// Package scaffold writes new projects: a handler, cases, a manifest, and the SDK of the
// language, all of which are inside of the program.
//
// # What it promises
//
//   - [New] makes a folder that was not there, whole or not at all, and overwrites nothing.
//   - A project builds without a network, but for AssemblyScript, whose compiler is an npm
//     package.
//   - Projects of all languages do the same and pass the same cases.
//
// # Testing
//
// The stories newuser_*.txtar of cmd/avxrt build the projects of all languages whose
// toolchains are there, run their cases, and a node with them.
package scaffold
