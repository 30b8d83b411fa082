// Package plugins carries the built modules of the shipped subscribers, so that a node
// can run them without a plugins folder: the demo does. Their sources lie beside them,
// one folder each; plugins/wasm.mk rebuilds them, and CI checks that the bytes stay the
// same. The package holds nothing else and promises nothing about what the modules do;
// their READMEs do.
package plugins

import "embed"

// FS has the modules by file name: inventory.wasm, analytics.wasm and so on.
//
//go:embed *.wasm
var FS embed.FS
