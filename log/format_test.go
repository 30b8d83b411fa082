package log_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

var rewriteGolden = flag.Bool("rewrite-store", false, "write testdata/store-v2 anew: only together with a new format")

// TestFormat2 opens a store of format 2 that was written when that format was settled, with
// every kind of row. Later versions must go on reading it.
func TestFormat2(t *testing.T) {
	const golden = "testdata/store-v2"
	if *rewriteGolden {
		writeGolden(t, golden)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, log.Options{Ballast: -1})
	verify(t, l)
	equal(t, "events", fmt.Sprint(readAll(t, l, log.ReadOptions{Match: func(topic string) bool { return topic[0] != '$' }})),
		"[4 a k@2 e2 5 b j@2 e3 6 p @0 p1 7 out k@3 s-1]")
	equal(t, "truncated stream", readStream(t, l, "k", log.StreamOptions{}), "2:e2 3:s-1")
	s, err := l.Stream("closed")
	equal(t, "closed stream", fmt.Sprint(s, err), "{closed 1 0 true} <nil>")
	version, data, err := l.LatestSnapshot("k", 9)
	equal(t, "snapshot", fmt.Sprintf("%d %s %v", version, data, err), "2 two <nil>")
	text, err := dump(l)
	equal(t, "cursor, state and dead letter", fmt.Sprint(text[strings.Index(text, "cursor"):], err),
		"cursor 6 state 17d4a9311a7e78d3837faeab7fc72642fc23b3e9d02b1c9156388a655547c512\ndead letter 2 trap\n<nil>")
	err = l.DeadLetters("s", 0, func(d log.DeadLetter) bool {
		equal(t, "its copy of the event", fmt.Sprintf("%s %s %s %d", d.Message, d.Event.Key, d.Event.Data, d.Code), "boom closed e1 3")
		return true
	})
	equal(t, "dead letters", err, nil)
	r, err := l.AppendIf(ctx, one(event("p", "", "again")), log.Conditions{Producer: "producer", Sequence: 5}, log.Durable)
	equal(t, "producer", fmt.Sprint(r[0].Seq, r[0].Duplicate, err), "6 true <nil>")
}

// writeGolden makes the store that [TestFormat2] opens.
func writeGolden(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l, err := log.Open(dir, log.Options{Ballast: -1, VerifyEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	appendOK(t, l, log.Durable, event("a", "k", "e0"), event("a", "closed", "e1"))
	_, err = l.Attach(ctx, log.Attachment{Subscriber: "s", Next: 1})
	check(err)
	appendOK(t, l, log.Durable, event("a", "j", "gone"))
	appendOK(t, l, log.Durable, event("a", "k", "e2"), event("b", "j", "e3"))
	_, err = l.AppendIf(ctx, one(event("p", "", "p1")), log.Conditions{Producer: "producer", Sequence: 5}, log.Durable)
	check(err)
	emit := event("out", "k", "s-1")
	_, err = l.Commit(ctx, &log.Commit{
		Subscriber: "s", StateVersion: 1, From: 1, To: 6, Digest: "digest", Emits: []abi.Event{emit},
		Writes:      []log.StateWrite{{Key: []byte("count"), Value: []byte("5")}},
		DeadLetters: []log.DeadLetter{{Seq: 2, Reason: "trap", Message: "boom", Code: 3, Attempts: 2, Digest: "digest"}},
	}, log.Durable)
	check(err)
	check(l.SaveSnapshot(ctx, "k", 2, []byte("two")))
	check(l.TruncateStream(ctx, "k", 2))
	check(l.CloseStream(ctx, "closed"))
	_, err = l.Redact(ctx, 4, "a request")
	check(err)
	_, err = l.Trim(ctx, 4, "to have a first seq")
	check(err)
	check(l.Close())
	check(os.Truncate(dir+"/LOCK", 0))
}
