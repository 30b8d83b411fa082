// Package natsd runs a NATS server with JetStream in this process, one stream in it, and
// publishes to it as fast as it takes.
//
// It is the rival at its best, as measured here: TCP on the loopback, which carried up to
// twice as much as the in-process connection (a net.Pipe: a hand-over between goroutines for
// every buffer); a file store with one replica; nothing else switched on. Without sync the
// server syncs every 2 minutes; sync_always is the only setting that syncs before it answers.
package natsd

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	streamName   = "EVENTS"
	subjects     = "bench.>"
	startTime    = 10 * time.Second
	messageTime  = time.Minute
	pullMessages = 5000 // a pull; the default of 500 was never faster
)

// Server is a running one. It belongs to whoever opened it.
type Server struct {
	JS     jetstream.JetStream
	Stream jetstream.Stream // takes every subject below bench.

	server *server.Server
	conn   *nats.Conn
	sync   bool
}

// Open starts a server on the data in dir; sync: it syncs before it answers.
func Open(dir string, sync bool) (*Server, error) {
	s := &Server{sync: sync}
	if err := s.open(dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(dir string) (err error) {
	s.server, err = server.NewServer(&server.Options{
		JetStream: true, StoreDir: dir, SyncAlways: s.sync, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	s.server.Start()
	if !s.server.ReadyForConnections(startTime) {
		return errors.New("the NATS server is not ready")
	}
	if s.conn, err = nats.Connect(s.server.ClientURL()); err != nil {
		return err
	}
	if s.JS, err = jetstream.New(s.conn); err != nil {
		return err
	}
	s.Stream, err = s.JS.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{
		Name: streamName, Subjects: []string{subjects}, Storage: jetstream.FileStorage,
		AllowAtomicPublish: s.sync, AllowBatchPublish: !s.sync,
	})
	return err
}

// Close ends connection and server and waits for them.
func (s *Server) Close() error {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	return nil
}

// Read gives all messages of a subject, or with "" all there are, to each, in order. It uses
// the ordered consumer of the recommended client; fetches and direct gets were slower.
func (s *Server) Read(subject string, each func(jetstream.Msg) error) error {
	if subject == "" {
		subject = subjects
	}
	info, err := s.Stream.Info(context.Background(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		return err
	}
	left := uint64(0)
	for _, n := range info.State.Subjects {
		left += n
	}
	done := make(chan error, 1)
	end := func(err error) {
		left = 0
		done <- err
	}
	stop, err := s.Consume(jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}, func(m jetstream.Msg) {
		if left == 0 {
			return
		}
		if err := each(m); err != nil {
			end(err)
		} else if left--; left == 0 {
			end(nil)
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	select {
	case err := <-done:
		return err
	case <-time.After(messageTime):
		return errors.New("a message did not come in time")
	}
}

// Consume gives messages to each, on one goroutine, until stop is called.
func (s *Server) Consume(config jetstream.OrderedConsumerConfig, each func(jetstream.Msg)) (stop func(), err error) {
	c, err := s.Stream.OrderedConsumer(context.Background(), config)
	if err != nil {
		return nil, err
	}
	consuming, err := c.Consume(each, jetstream.PullMaxMessages(pullMessages))
	if err != nil {
		return nil, err
	}
	return consuming.Stop, nil
}
