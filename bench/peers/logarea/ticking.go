package logarea

import (
	"errors"
	"time"

	"github.com/avx-platform/avxrt/log"
)

// ticking brings a store to disk every 10 ms, as ours does with accepted events by itself:
// the same promise from a store that is opened without sync.
type ticking struct {
	store
	quit chan struct{}
	done chan error // gives what the syncs came to
}

// syncer is a store that can be brought to disk while others write.
type syncer interface {
	store
	sync() error
}

const ourSyncEvery = 10 * time.Millisecond

func everyTick(open opener) opener {
	return func(dir string, d log.Durability) (store, error) {
		s, err := open(dir, d)
		if err != nil {
			return nil, err
		}
		t := &ticking{s, make(chan struct{}), make(chan error, 1)}
		go t.run(s.(syncer))
		return t, nil
	}
}

func (t *ticking) run(s syncer) {
	tick := time.NewTicker(ourSyncEvery)
	defer tick.Stop()
	var err error
	for {
		select {
		case <-tick.C:
			err = errors.Join(err, s.sync())
		case <-t.quit:
			t.done <- err
			return
		}
	}
}

func (t *ticking) Close() error {
	close(t.quit)
	return errors.Join(<-t.done, t.store.Close())
}
