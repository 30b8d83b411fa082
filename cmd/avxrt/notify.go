package main

import (
	"fmt"
	"log/slog"
	"net"

	"github.com/avx-platform/avxrt/internal/manifest"
)

// notifier tells the service manager how the node stands (sd_notify(3)); under none it tells
// nobody. It is twenty lines here rather than a library.
type notifier struct {
	socket string // "": nobody listens
	logger *slog.Logger
}

func newNotifier(lookup manifest.LookupEnv, logger *slog.Logger) notifier {
	socket, _ := lookup("NOTIFY_SOCKET")
	if socket != "" && socket[0] == '@' {
		socket = "\x00" + socket[1:] // the abstract namespace
	}
	return notifier{socket, logger}
}

func (n notifier) ready()    { n.send("READY=1\nSTATUS=events are taken and delivered") }
func (n notifier) stopping() { n.send("STOPPING=1\nSTATUS=subscribers finish their events") }

// reloading announces a reload, which ready ends. The time is what Type=notify-reload wants.
func (n notifier) reloading() {
	n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonicMicros()))
}

// send reports a failure and goes on: the node runs whether anybody hears of it or not.
func (n notifier) send(state string) {
	if n.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close()
	}
	if err != nil {
		n.logger.Warn("the service manager was not told", "state", state, "error", err)
	}
}
