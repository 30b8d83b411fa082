package logarea

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// jetStream is an embedded server with a file store and its own client, one replica. Its best:
//
//   - accepted: the fast-ingest batches of its makers' extension library (orbit) with the largest flow the
//     server allows (500) and 8 of them on the way; PublishAsync reached three quarters of it,
//     atomic batches a fifth.
//   - durable batches: sync_always, the only setting that syncs before it answers, and atomic
//     batches, which it syncs once; everything else is synced message by message.
//   - durable single events: sync_always and PublishAsync, each publisher waiting for its own
//     answer; as jetstream/syncalways-grouped a [grouper] before atomic batches.
//   - reading: the ordered consumer of the recommended client, 5,000 messages a pull; fetches
//     and direct gets were slower.
//   - TCP on the loopback, which carried more than the in-process connection (a net.Pipe: a
//     hand-over between goroutines for every buffer).
type jetStream struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	sync   bool
	group  *grouper // nil unless asked for
}

const (
	streamName     = "EVENTS"
	fastFlow       = 500
	fastOnTheWay   = 8
	pullMessages   = 5000
	serverPatience = 10 * time.Second
)

func openJetStream(dir string, d log.Durability) (store, error) {
	j := &jetStream{sync: d == log.Durable}
	if err := j.open(dir); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// openJetStreamGrouped is openJetStream with single events gathered to atomic batches.
func openJetStreamGrouped(dir string, d log.Durability) (store, error) {
	s, err := openJetStream(dir, d)
	if err != nil {
		return nil, err
	}
	j := s.(*jetStream)
	w := &jetStreamWriter{jetStream: j}
	j.group = newGrouper(w.appendAtomic)
	return j, nil
}

func (j *jetStream) open(dir string) (err error) {
	j.server, err = server.NewServer(&server.Options{
		JetStream: true, StoreDir: dir, SyncAlways: j.sync, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	j.server.Start()
	if !j.server.ReadyForConnections(serverPatience) {
		return errors.New("the server is not ready")
	}
	if j.conn, err = nats.Connect(j.server.ClientURL()); err != nil {
		return err
	}
	if j.js, err = jetstream.New(j.conn); err != nil {
		return err
	}
	j.stream, err = j.js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{
		Name: streamName, Subjects: []string{"bench.>"}, Storage: jetstream.FileStorage,
		AllowAtomicPublish: j.sync, AllowBatchPublish: !j.sync,
	})
	return err
}

func (j *jetStream) Close() error {
	if j.group != nil {
		j.group.close()
	}
	if j.conn != nil {
		j.conn.Close()
	}
	if j.server != nil {
		j.server.Shutdown()
		j.server.WaitForShutdown()
	}
	return nil
}

func (j *jetStream) writer() writer { return &jetStreamWriter{jetStream: j} }

func (j *jetStream) replay(topic string, seqs bool, visit func(seq uint64, topic string, data []byte)) error {
	filter := topic
	if topic == "" {
		filter = "bench.>"
	}
	info, err := j.stream.Info(context.Background(), jetstream.WithSubjectFilter(filter))
	if err != nil {
		return err
	}
	left := uint64(0)
	for _, n := range info.State.Subjects {
		left += n
	}
	c, err := j.stream.OrderedConsumer(context.Background(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		return err
	}
	return consume(c, left, func(m jetstream.Msg) error {
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

// consume gives so many messages to each and returns when it has had them.
func consume(c jetstream.Consumer, messages uint64, each func(jetstream.Msg) error) error {
	done := make(chan error, 2)
	consuming, err := c.Consume(func(m jetstream.Msg) {
		if messages == 0 {
			return
		}
		messages--
		if err := each(m); err != nil {
			done <- err
			messages = 0
		} else if messages == 0 {
			done <- nil
		}
	}, jetstream.PullMaxMessages(pullMessages))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		return errors.New("a message did not come within a minute")
	}
}

// jetStreamWriter has one batch open at a time.
type jetStreamWriter struct {
	*jetStream
	fast jetstreamext.FastPublisher // nil before the first and after settle
}

func (w *jetStreamWriter) append(evs []abi.Event) error {
	if w.sync {
		return w.appendAtomic(evs)
	}
	return w.appendFast(evs)
}

func (w *jetStreamWriter) appendFast(evs []abi.Event) (err error) {
	if w.fast == nil {
		w.fast, err = jetstreamext.NewFastPublisher(w.js, jetstreamext.FastPublishFlowControl{Flow: fastFlow, MaxOutstandingAcks: fastOnTheWay})
		if err != nil {
			return err
		}
	}
	for i := range evs {
		if _, err := w.fast.Add(evs[i].Topic, evs[i].Data); err != nil {
			return err
		}
	}
	return nil
}

func (w *jetStreamWriter) settle() error {
	if w.fast == nil {
		return nil
	}
	_, err := w.fast.Close(context.Background())
	w.fast = nil
	return err
}

func (w *jetStreamWriter) appendAtomic(evs []abi.Event) error {
	b, err := jetstreamext.NewBatchPublisher(w.js, jetstreamext.BatchFlowControl{AckFirst: false})
	if err != nil {
		return err
	}
	last := len(evs) - 1
	for i := range evs[:last] {
		if err := b.Add(evs[i].Topic, evs[i].Data); err != nil {
			return err
		}
	}
	ack, err := b.Commit(context.Background(), evs[last].Topic, evs[last].Data)
	if err != nil {
		return err
	}
	if ack.BatchSize != uint64(len(evs)) {
		return fmt.Errorf("the server took %d of a batch of %d", ack.BatchSize, len(evs))
	}
	return nil
}

func (w *jetStreamWriter) appendOne(ev *abi.Event) error {
	if w.group != nil {
		return w.group.append(ev)
	}
	answer, err := w.js.PublishAsync(ev.Topic, ev.Data)
	if err != nil {
		return err
	}
	select {
	case <-answer.Ok():
		return nil
	case err := <-answer.Err():
		return err
	}
}
