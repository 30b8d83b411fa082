package logarea

import (
	"context"
	"errors"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// ours is the log with its default options.
type ours struct {
	l *log.Log
	d log.Durability
}

func openOurs(dir string, d log.Durability) (store, error) {
	l, err := log.Open(dir, log.Options{})
	if err != nil {
		return nil, err
	}
	return &ours{l, d}, nil
}

func (o *ours) writer() writer { return &ourWriter{ours: o} }
func (o *ours) Close() error   { return o.l.Close() }

func (o *ours) replay(topic string, _ bool, visit func(seq uint64, topic string, data []byte)) error {
	opts := log.ReadOptions{Borrow: true}
	if topic != "" {
		opts.Match = func(t string) bool { return t == topic }
	}
	r := o.l.NewReader(opts)
	var ev abi.Event
	for r.Next(&ev) {
		visit(uint64(ev.Seq), ev.Topic, ev.Data)
	}
	return errors.Join(r.Err(), r.Close())
}

type ourWriter struct {
	*ours
	one [1]abi.Event
}

func (w *ourWriter) append(evs []abi.Event) error {
	_, err := w.l.Append(context.Background(), evs, w.d)
	return err
}

func (w *ourWriter) appendOne(ev *abi.Event) error {
	w.one[0] = *ev
	return w.append(w.one[:])
}

func (w *ourWriter) settle() error { return nil }
