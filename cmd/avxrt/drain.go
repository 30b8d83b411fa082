package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oklog/run"

	"github.com/avx-platform/avxrt/internal/httpapi"
	"github.com/avx-platform/avxrt/runtime"
)

// errSignal ends the group in the ordinary way.
var errSignal = errors.New("a signal asked the node to end")

// drain is how a node ends: it takes no more events, and /readyz says so, while every
// subscriber finishes the event that it is at; then the interface closes.
type drain struct {
	wait   time.Duration // for the subscribers
	notify notifier
	logger *slog.Logger
	ended  chan struct{} // closed when the node's subscribers have
}

// addNode runs the subscribers until the group ends.
func (d *drain) addNode(group *run.Group, ctx context.Context, node *runtime.Runtime) {
	ctx, stop := context.WithCancel(ctx)
	group.Add(func() error {
		defer close(d.ended)
		return node.Run(ctx)
	}, func(error) {
		d.notify.stopping()
		node.Drain()
		stop()
	})
}

// addServer serves until the subscribers have ended, so that whoever asks meanwhile is told
// that the node drains. Streams then end, other requests get a moment.
func (d *drain) addServer(group *run.Group, listener net.Listener, handler http.Handler) {
	server := httpapi.Server(handler, d.logger)
	base, endStreams := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return base }
	group.Add(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, func(error) {
		select {
		case <-d.ended:
		case <-time.After(d.wait):
			d.logger.Error("a subscriber did not finish its event in time; the event is not committed and runs again after the next start", "waited", d.wait)
			os.Exit(exitFailed)
		}
		endStreams()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
}

// addSignals drains on the first SIGTERM or SIGINT and leaves the second to the system.
func (d *drain) addSignals(group *run.Group, ctx context.Context, node *runtime.Runtime) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 4) // from here on, not only once the group runs: who reads the port file may signal at once
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	group.Add(func() error {
		defer signal.Stop(signals)
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGHUP {
					return errSignal
				}
				d.notify.reloading()
				if err := node.Reload(ctx); err == nil {
					d.logger.Info("manifest and modules were read again")
				}
				d.notify.ready() // also with the old plan
			case <-ctx.Done():
				return nil
			}
		}
	}, func(error) { cancel() })
}
