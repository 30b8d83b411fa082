package sandbox

import (
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// hostVersion is what conf("avx.abi") answers: major.minor of the contract.
const hostVersion = "1.0"

// wantedExports are the exports that the contract knows; the first two are required.
var wantedExports = []struct {
	name, typ string
	required  bool
}{
	{abi.ExportMarker, "() -> ()", true},
	{abi.ExportRun, "() -> (i32)", true},
	{abi.ExportInit, "() -> (i32)", false},
	{abi.ExportMigrate, "(i32) -> (i32)", false},
	{abi.ExportInitialize, "() -> ()", false},
}

// checkContract says what keeps a module from being a guest, "" if nothing does.
func checkContract(info wasmbin.Info) string {
	funcs := map[string]string{}
	memory := false
	for _, e := range info.Exports {
		switch {
		case e.Kind == wasmbin.Func:
			funcs[e.Name] = e.Type
		case e.Kind == wasmbin.Memory && e.Name == abi.ExportMemory:
			memory = true
		}
	}
	for _, want := range wantedExports {
		typ, ok := funcs[want.name]
		switch {
		case !ok && want.required:
			return fmt.Sprintf("it does not export %s; it is no guest of contract %s: build it with an SDK, or see docs/abi.md", want.name, abi.Module)
		case ok && typ != want.typ:
			return fmt.Sprintf("its export %s has the type %s, the contract says %s", want.name, typ, want.typ)
		}
	}
	if !memory {
		return "it does not export its memory as \"memory\"; tell the linker to"
	}
	return checkImports(info.Imports)
}

func checkImports(imports []wasmbin.Import) string {
	for _, imp := range imports {
		switch {
		case imp.Kind != wasmbin.Func:
			return fmt.Sprintf("it imports %s.%s, which is no function; a guest may import functions only", imp.Module, imp.Name)
		case imp.Module == wasi_snapshot_preview1.ModuleName:
			continue // the names are checked against what the engine offers
		case imp.Module == abortModule && imp.Name == abortName && imp.Type == abortFunction.signature():
			continue
		case strings.HasPrefix(imp.Module, "avx") && imp.Module != abi.Module:
			return fmt.Sprintf("it is built for contract %s, this host has %s; build it with the SDK of this version", imp.Module, abi.Module)
		case imp.Module != abi.Module:
			return fmt.Sprintf("it imports %s.%s; a guest may import %s and %s only", imp.Module, imp.Name, abi.Module, wasi_snapshot_preview1.ModuleName)
		}
		f, ok := hostFunctions[imp.Name]
		if !ok {
			return fmt.Sprintf("it needs %s.%s, this host has %s; use a newer avxrt", imp.Module, imp.Name, hostVersion)
		}
		if imp.Type != f.signature() {
			return fmt.Sprintf("it imports %s.%s as %s, the contract says %s", imp.Module, imp.Name, imp.Type, f.signature())
		}
	}
	return ""
}

// checkWASI looks for imports that this host's WASI does not have.
func (m *Module) checkWASI() string {
	offered := m.wasm.Module(wasi_snapshot_preview1.ModuleName).ExportedFunctionDefinitions()
	for _, imp := range m.info.Imports {
		if imp.Module == wasi_snapshot_preview1.ModuleName && offered[imp.Name] == nil {
			return fmt.Sprintf("it needs %s.%s, which does not exist", imp.Module, imp.Name)
		}
	}
	return ""
}

// firstLine keeps the part of an engine's error that is for people: no stack of ours.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(strings.TrimPrefix(line, "wasm error: "), " (recovered by wazero)")
}
