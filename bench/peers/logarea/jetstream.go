package logarea

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/bench/peers/natsd"
	"github.com/avx-platform/avxrt/log"
)

// jetStream is an embedded server with a file store, driven as package natsd says: accepted,
// fast-ingest batches and the server's own sync every 2 minutes; durable, sync_always and
// atomic batches, and for single events PublishAsync, each publisher waiting for its own
// answer, or, as jetstream/syncalways-grouped, a [grouper] before atomic batches. It reads with
// an ordered consumer.
type jetStream struct {
	server *natsd.Server
	group  *grouper // nil unless asked for
}

func openJetStream(dir string, d log.Durability) (store, error) {
	s, err := natsd.Open(dir, d == log.Durable)
	if err != nil {
		return nil, err
	}
	return &jetStream{server: s}, nil
}

// openJetStreamGrouped is openJetStream with single events gathered to atomic batches.
func openJetStreamGrouped(dir string, d log.Durability) (store, error) {
	s, err := natsd.Open(dir, d == log.Durable)
	if err != nil {
		return nil, err
	}
	return &jetStream{s, newGrouper(s.Publisher().Publish)}, nil
}

func (j *jetStream) writer() writer { return &jetStreamWriter{j, j.server.Publisher()} }

func (j *jetStream) Close() error {
	if j.group != nil {
		j.group.close()
	}
	return j.server.Close()
}

func (j *jetStream) replay(topic string, seqs bool, visit func(seq uint64, topic string, data []byte)) error {
	return j.server.Read(topic, func(m jetstream.Msg) error {
		seq := uint64(0)
		if seqs {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			seq = meta.Sequence.Stream
		}
		visit(seq, m.Subject(), m.Data())
		return nil
	})
}

type jetStreamWriter struct {
	*jetStream
	p *natsd.Publisher
}

func (w *jetStreamWriter) append(evs []abi.Event) error { return w.p.Publish(evs) }
func (w *jetStreamWriter) settle() error                { return w.p.Settle() }

func (w *jetStreamWriter) appendOne(ev *abi.Event) error {
	if w.group != nil {
		return w.group.append(ev)
	}
	return w.p.PublishOne(ev)
}
