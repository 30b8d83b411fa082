package main

import (
	"testing"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

// TestNatively is the guest on the fake host, as an author tests a subscriber.
func TestNatively(t *testing.T) {
	f := avx.Fake{Config: map[string]string{"greeting": "hi"}}
	for _, ev := range []avx.Event{
		{Topic: "t.echo", Key: "k", Data: []byte("data")},
		{Topic: "t.state.set", Key: "s/b", Data: []byte("2")},
		{Topic: "t.state.set", Key: "s/a", Data: []byte("1")},
		{Topic: "t.state.scan", Data: []byte("s/")},
		{Topic: "t.state.add", Key: "s/a", Data: []byte("-5")},
		{Topic: "t.conf", Data: []byte("greeting")},
		{Topic: "t.version", Key: "k", Version: 7},
		{Topic: "t.timer.start", Key: "name"},
		{Topic: "sys.gap", Kind: avx.KindControl},
		{Topic: "t.reply", Data: []byte("answer")},
	} {
		if err := f.Deliver(&ev); err != nil {
			t.Fatalf("%s: %v", ev.Topic, err)
		}
	}
	want := []avx.Emitted{
		{Topic: "out.echo", Key: "k", Data: "data"}, {Topic: "out.scan", Data: "s/a=1\ns/b=2\n"}, {Topic: "out.add", Data: "-4"},
		{Topic: "out.conf", Data: "hi"}, {Topic: "out.version", Key: "k", Version: 8},
		{Topic: "out.timer", Key: "name", Timer: "name", Time: hour}, {Topic: "out.control", Key: "sys.gap"},
	}
	if len(f.Emits) != len(want) {
		t.Fatalf("got %+v", f.Emits)
	}
	for i, w := range want {
		if f.Emits[i] != w {
			t.Errorf("got %+v, want %+v", f.Emits[i], w)
		}
	}
	if f.Reply != "answer" || f.State["s/a"] != "-4" {
		t.Errorf("reply %q, state %v", f.Reply, f.State)
	}
	if err := f.Deliver(&avx.Event{Topic: "t.fail.retry"}); err == nil || err.Error() != why || f.State["dropped"] != "" || len(f.Emits) != len(want) {
		t.Errorf("got %v, state %v", err, f.State)
	}
}
