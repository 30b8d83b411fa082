package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/avx-platform/avxrt/internal/manifest"
	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/trial"
	"github.com/avx-platform/avxrt/router"
)

// ruleFlags say where a module that runs without a node gets limits, grants and config from.
type ruleFlags struct {
	manifest, subscriber string
	config               []string
	engine               string
}

func (f *ruleFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.manifest, "manifest", "", "take limits, grants and config from this manifest (default: avxrt.toml here, if it names the module; none: of no manifest)")
	cmd.Flags().StringVar(&f.subscriber, "subscriber", "", "which subscriber of the manifest")
	cmd.Flags().StringArrayVar(&f.config, "config", nil, "k=v, over what the manifest says; again for more")
	cmd.Flags().StringVar(&f.engine, "engine", "compiler", "compiler or interpreter")
}

// noManifest is the value of --manifest that means none.
const noManifest = "none"

// rules finds the rules for a module's file. manifest is "" where none is used: everything
// may be emitted then, and the limits are the defaults.
func (f *ruleFlags) rules(module string) (spec manifest.Subscriber, from string, err error) {
	spec = manifest.Subscriber{Name: strings.TrimSuffix(filepath.Base(module), ".wasm"), Emits: everything()}
	from = f.manifest
	if from == "" {
		from = "avxrt.toml"
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			from = noManifest
		}
	}
	if from != noManifest {
		m, err := manifest.Load(from, nil)
		if err != nil {
			return spec, from, err
		}
		found, err := f.choose(m, from, module)
		if err != nil {
			return spec, from, err
		}
		if found != nil {
			spec = *found
		} else {
			from = noManifest
		}
	}
	if from == noManifest {
		if from = ""; f.subscriber != "" {
			return spec, from, &usageError{errors.New("--subscriber needs a manifest; name it by --manifest")}
		}
	}
	config, err := pairs("--config", f.config)
	for k, v := range spec.Config {
		if _, given := config[k]; !given {
			config[k] = v
		}
	}
	spec.Config = config
	return spec, from, err
}

// choose picks the subscriber; nil: the manifest was not asked for and does not name the module.
func (f *ruleFlags) choose(m *manifest.Manifest, path, module string) (*manifest.Subscriber, error) {
	if f.subscriber != "" {
		if s := m.Subscriber(f.subscriber); s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("%s has no subscriber %q; it has %s", path, f.subscriber, names(m))
	}
	found, err := m.OfFile(module)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, &usageError{fmt.Errorf("%s runs %s for more than one subscriber; choose one by --subscriber", path, module)}
	case f.manifest == "":
		return nil, nil
	case len(m.Subscribers) == 1:
		return &m.Subscribers[0], nil
	}
	return nil, &usageError{fmt.Errorf("%s has no subscriber with the module %s; choose one by --subscriber: %s", path, module, names(m))}
}

func names(m *manifest.Manifest) string {
	if len(m.Subscribers) == 0 {
		return "none"
	}
	var out []string
	for _, s := range m.Subscribers {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

// everything is the grant of a module that runs without a manifest.
func everything() []router.Pattern {
	all, _ := router.ParsePattern("**")
	effects, _ := router.ParsePattern("$effect.**")
	return []router.Pattern{all, effects}
}

// pairs reads k=v arguments.
func pairs(flag string, given []string) (map[string]string, error) {
	out := map[string]string{}
	for _, kv := range given {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, &usageError{fmt.Errorf("%s %q: write key=value", flag, kv)}
		}
		out[k] = v
	}
	return out, nil
}

// newEngine makes an engine for one call of this program, with a folder for what it compiles.
// done releases both.
func newEngine(ctx context.Context, kind string) (e *sandbox.Engine, done func() error, err error) {
	if kind != "compiler" && kind != "interpreter" {
		return nil, nil, &usageError{fmt.Errorf("--engine %s is unknown; %s", kind, nearest.Hint(kind, "compiler", "interpreter"))}
	}
	dir, err := os.MkdirTemp("", "avxrt-modules-")
	if err != nil {
		return nil, nil, err
	}
	e, err = sandbox.NewEngine(ctx, sandbox.Options{CacheDir: dir, CompileCommand: compileCommand(), Interpreter: kind == "interpreter"})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return e, func() error { return errors.Join(e.Close(context.Background()), os.RemoveAll(dir)) }, nil
}

// trialOptions are the rules in the form that package trial takes.
func trialOptions(spec manifest.Subscriber, wasm []byte) trial.Options {
	return trial.Options{Name: spec.Name, Module: wasm, Limits: sandbox.Limits(spec.Limits), Config: spec.Config, Grants: spec.Emits}
}
