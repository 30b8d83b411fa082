package main_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
)

// TestRedriveRate holds a redrive to the rate that was asked for: whoever drives thousands of letters
// again does not want them all at once.
func TestRedriveRate(t *testing.T) {
	n := start(t, poisonManifest(t, "park"), t.TempDir())
	var events []abi.Event
	for i := range 6 {
		events = append(events, abi.Event{Topic: "do.this", Key: fmt.Sprint("k", i), Data: []byte("fail 2 no"), ID: fmt.Sprint(i), Source: "/rate"})
	}
	if _, err := n.client.Publish(context.Background(), events, "durable"); err != nil {
		t.Fatal(err)
	}
	n.idle(t)
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	out, err := exec.Command(program, "dlq", "redrive", "probe", "--dry-run", "--rate", "4", "--server", n.server).Output()
	if took := time.Since(begin); strings.Count(string(out), " failed ") != 6 || err == nil || took < 1250*time.Millisecond {
		t.Errorf("6 letters at 4 a second took %v: %v\n%s", took, err, out)
	}
	n.drain(t)
}
