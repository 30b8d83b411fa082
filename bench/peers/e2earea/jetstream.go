package e2earea

import (
	"errors"
	"path/filepath"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/natsd"
)

// jetStream is the embedded server, driven as package natsd says, and a [native] consumer in
// the same process. The consumer is an ordered one that begins behind its own seq: with the
// cursor in the consumer's store nothing has to be acknowledged to the server, which a durable
// consumer pays for.
type jetStream struct {
	server  *natsd.Server
	native  *native
	stop    func()
	queue   chan delivered // holds two batches; a full one makes the client wait
	quit    chan struct{}  // closed: nothing is taken from the queue any more
	done    chan struct{}  // closed: nobody works on it
	failure atomic.Pointer[error]
}

type delivered struct {
	seq  uint64
	data []byte
}

func openJetStream(sync bool) func(dir string) (system, error) {
	return func(dir string) (system, error) {
		j := &jetStream{queue: make(chan delivered, 2*batch), quit: make(chan struct{}), done: make(chan struct{})}
		if err := j.open(dir, sync); err != nil {
			return nil, errors.Join(err, j.Close())
		}
		return j, nil
	}
}

func (j *jetStream) open(dir string, sync bool) (err error) {
	go j.run()
	if j.native, err = openNative(filepath.Join(dir, "consumer")); err != nil {
		return err
	}
	if j.server, err = natsd.Open(filepath.Join(dir, "server"), sync); err != nil {
		return err
	}
	from := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: j.native.seq + 1}
	j.stop, err = j.server.Consume(from, func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil {
			j.fail(err)
			return
		}
		select {
		case j.queue <- delivered{meta.Sequence.Stream, m.Data()}:
		case <-j.quit:
		}
	})
	return err
}

func (j *jetStream) run() {
	defer close(j.done)
	for {
		select {
		case m := <-j.queue:
			if err := j.handle(m); err != nil {
				j.fail(err)
			}
		case <-j.quit:
			return
		}
	}
}

// handle takes m and what waits behind it, at most a batch, and commits.
func (j *jetStream) handle(m delivered) error {
	err := j.native.handle(m.seq, m.data)
	for i := 1; i < batch && len(j.queue) > 0 && err == nil; i++ {
		m := <-j.queue
		err = j.native.handle(m.seq, m.data)
	}
	if err != nil {
		return err
	}
	return j.native.commit()
}

func (j *jetStream) fail(err error) { j.failure.CompareAndSwap(nil, &err) }

func (j *jetStream) handled() (int, error) {
	if err := j.failure.Load(); err != nil {
		return 0, *err
	}
	return int(j.native.events.Load()), nil
}

func (j *jetStream) state() (counters, error) { return j.native.state() }
func (j *jetStream) publisher() publisher     { return jetStreamPublisher{j.server.Publisher()} }

// Close ends everything, also what was opened half-way.
func (j *jetStream) Close() (err error) {
	if j.stop != nil {
		j.stop()
	}
	close(j.quit)
	<-j.done
	if j.server != nil {
		err = j.server.Close()
	}
	if j.native != nil {
		err = errors.Join(err, j.native.db.Close())
	}
	return err
}

type jetStreamPublisher struct{ p *natsd.Publisher }

func (p jetStreamPublisher) publish(evs []abi.Event) error { return p.p.Publish(evs) }
func (p jetStreamPublisher) settle() error                 { return p.p.Settle() }
