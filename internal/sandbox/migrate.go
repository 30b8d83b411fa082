package sandbox

import (
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/avx-platform/avxrt/abi"
)

// Migrates says whether the module can turn the state of an older version into its own.
func (m *Module) Migrates() bool {
	for _, e := range m.info.Exports {
		if e.Name == abi.ExportMigrate {
			return true
		}
	}
	return false
}

// Migration is what one call of avx_migrate did.
type Migration struct {
	More    bool    // it is to be called again
	Writes  []Write // by key
	Refused string  // why the version is to be dropped, "" if it is not
	Fuel    int64
	Elapsed time.Duration
	Dropped int // log lines over Limits.LogLines
}

// Migrate calls avx_migrate(from) once, with the limits of an event. It reads and writes
// state, which is that of the new version so far; it cannot emit, reply or get events.
func (i *Instance) Migrate(from uint32, state StateReader) Migration {
	start := time.Now()
	i.meter.begin(i.limits.Fuel, i.limits.Time)
	i.batch, i.trapped, i.words, i.dropped = Batch{State: state, Next: func() *abi.Event { return nil }}, nil, lastWords{}, 0
	i.staged.reset()
	i.migrating = true
	i.stack[0] = api.EncodeU32(from)
	err := i.guest.ExportedFunction(abi.ExportMigrate).CallWithStack(i.ctx, i.stack[:])
	i.migrating = false
	i.meter.end()
	m := Migration{Elapsed: time.Since(start), Fuel: i.meter.spent + i.meter.used(), Dropped: i.dropped}
	switch code := api.DecodeI32(i.stack[0]); {
	case err != nil:
		m.Refused = "avx_migrate trapped: " + i.explain(err).Message
	case code < 0:
		m.Refused = fmt.Sprintf("avx_migrate returned %d", code)
	default:
		m.More, m.Writes = code > 0, i.stagedWrites()
	}
	i.dead = i.dead || m.Refused != ""
	return m
}

// stagedWrites returns what was written outside of events.
func (i *Instance) stagedWrites() []Write {
	i.staged.writes = i.staged.event.writes
	return i.staged.sortedWrites()
}
