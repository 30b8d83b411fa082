package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/avx-platform/avxrt/internal/sandbox"
)

// maxModuleBytes is the largest module file that a node takes.
const maxModuleBytes = 32 << 20

// modules loads every module of the manifest as a node would.
func (e *exam) modules(ctx context.Context) {
	if len(e.manifest.Subscribers) == 0 {
		return
	}
	cache, err := os.MkdirTemp("", "avxrt-doctor-")
	if err != nil {
		e.add("temporary folder", Fail, err.Error(), "set TMPDIR to a folder that can be written")
		return
	}
	defer os.RemoveAll(cache)
	engine, err := sandbox.NewEngine(ctx, sandbox.Options{CacheDir: cache, CompileCommand: e.CompileCommand})
	if err != nil {
		e.add("modules", Fail, err.Error(), "")
		return
	}
	defer engine.Close(ctx)
	seen := map[string]bool{}
	for i := range e.manifest.Subscribers {
		if file := e.manifest.File(&e.manifest.Subscribers[i]); !seen[file] {
			seen[file] = true
			e.module(ctx, engine, e.manifest.Subscribers[i].Name, file)
		}
	}
}

func (e *exam) module(ctx context.Context, engine *sandbox.Engine, subscriber, file string) {
	name := "module: " + filepath.Base(file)
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		e.add(name, Fail, err.Error(), "build it (avxrt build), or correct plugins.dir or the module of "+subscriber)
		return
	case !info.Mode().IsRegular() || info.Size() > maxModuleBytes:
		e.add(name, Fail, fmt.Sprintf("%s is not a regular file of at most %d MiB", file, maxModuleBytes>>20), "put the file itself there")
		return
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		e.add(name, Fail, err.Error(), "give the user of the node the right to read it")
		return
	}
	module, err := engine.Load(ctx, filepath.Base(file), wasm)
	if err != nil {
		e.add(name, Fail, err.Error(), "avxrt inspect "+file+" says what it is; build it again")
		return
	}
	defer module.Close(ctx)
	e.add(name, OK, fmt.Sprintf("loads, %d bytes", len(wasm)), "")
}

// address finds whether a node could listen where the manifest says.
func (e *exam) address() {
	address := e.manifest.HTTP.Listen
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		_ = l.Close()
		e.add("address", OK, address+" is free", "")
	case errors.Is(err, syscall.EADDRINUSE) && e.node != nil && strings.TrimSuffix(strings.TrimPrefix(e.Server, "http://"), "/") == address:
		e.add("address", OK, "the node listens at "+address, "")
	case errors.Is(err, syscall.EADDRINUSE):
		e.add("address", Fail, address+" is taken by another program (AVX1004)", "stop it, or choose another address: AVXRT_HTTP_LISTEN or http.listen")
	default:
		e.add("address", Fail, err.Error(), "set http.listen to 127.0.0.1:7080 or another address of this machine")
	}
}

// running looks at the node that answers.
func (e *exam) running() {
	n := e.node
	switch {
	case n == nil && e.holder != 0:
		e.add("node", Warn, fmt.Sprintf("none answers at %s, but process %d has the store open", e.Server, e.holder), "name its address by --server or AVXRT_SERVER")
		return
	case n == nil:
		e.add("node", OK, "none runs at "+e.Server, "")
		return
	case !n.Ready:
		e.add("node", Warn, n.Node+" at "+e.Server+" is not ready: "+n.NotReady, "wait, or look at its log")
	default:
		e.add("node", OK, fmt.Sprintf("%s at %s is ready, %s", n.Node, e.Server, counted(n.Head, "event")), "")
	}
	if n.Version != e.Version {
		theirs := n.Version
		if theirs == "" {
			theirs = "an older one"
		}
		e.add("version", Warn, fmt.Sprintf("the node is %s, this program %s", theirs, e.Version), "use one version for both: restart the node with this program, or install the node's")
	}
	if n.ManifestError != "" {
		e.add("node", Warn, "it refused the manifest on disk and runs the last good one: "+n.ManifestError, "correct the manifest; the node takes it by itself")
	}
	if n.ClockProblem != "" {
		e.add("clock", Warn, n.ClockProblem, "set the clock; if it is right, avxrt clock accept")
	}
}
