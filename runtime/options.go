package runtime

import (
	"io/fs"
	"log/slog"
	"time"

	"github.com/avx-platform/avxrt/log"
)

// Options say what to run.
type Options struct {
	// Manifest is the path of the manifest file. It is read again on a reload.
	Manifest string

	// ManifestText is used instead of a file when Manifest is empty; paths in it are
	// relative to Dir. It cannot be reloaded.
	ManifestText []byte
	Dir          string

	// LookupEnv gives the settings of the environment (AVXRT_NODE_DATA, …), as os.LookupEnv
	// does. Nil: none.
	LookupEnv func(key string) (value string, ok bool)

	// Modules is asked for a module that is not in the plugins folder, by its file name.
	// Nil: nothing more.
	Modules fs.FS

	// CompileCommand is a program, with its first arguments, that compiles a module in a
	// process of its own, under limits of time and memory: it calls sandbox.CompileChild, as
	// avxrt's own hidden verb does. Nil: modules are compiled in this process after they were
	// checked, where a module made for it may take a minute and some gigabytes. Linux only.
	CompileCommand []string

	// Logger gets what operators should know and what guests log. Default: discard.
	Logger *slog.Logger

	// Log tunes the store. Its Logger defaults to Logger.
	Log log.Options

	// PollEvery is how often files are looked at where the system's notifications are
	// missing or lost. Default 2 s.
	PollEvery time.Duration

	onBuildStep func() // for tests: called behind each commit of a state version that is being built
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Log.Logger == nil {
		o.Log.Logger = o.Logger
	}
	if o.LookupEnv == nil {
		o.LookupEnv = func(string) (string, bool) { return "", false }
	}
	if o.PollEvery == 0 {
		o.PollEvery = 2 * time.Second
	}
	return o
}
