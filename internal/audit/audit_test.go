package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/audit"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/plugins"
	"github.com/avx-platform/avxrt/runtime"
)

const manifest = `
[node]
id = "n"
data = "data"

[[subscriber]]
name   = "audit"
module = "audit.wasm"
topics = ["**"]
emits  = ["$audit.checkpoint"]
config = { checkpoint = "10" }
`

var ctx = context.Background()

// template is the store that audited copies: a node compiles and runs audit once for all tests.
var template string

func TestMain(m *testing.M) {
	var err error
	if template, err = os.MkdirTemp("", "avxrt-audit-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(template)
	os.Exit(code)
}

// auditOnce lets a node run audit on the template.
var auditOnce = sync.OnceValue(func() error {
	r, err := runtime.Open(runtime.Options{ManifestText: []byte(manifest), Dir: template, Modules: plugins.FS})
	if err != nil {
		return err
	}
	runs, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(runs) }()
	var events []abi.Event
	for i := range 12 {
		events = append(events, abi.Event{
			Topic: "payments.made", Key: fmt.Sprintf("k%d", i%3), ID: fmt.Sprintf("id%02d", i), Source: "test", Time: int64(1000 + i),
			Data: []byte(fmt.Sprintf(`{"to":"ann","cents":%d}`, 10000+i)),
		})
	}
	_, err = r.Publish(ctx, events, log.Durable)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for err == nil {
		if s, _ := r.Subscriber("audit"); s.Handled >= 12 && s.LagEvents == 0 {
			break
		}
		<-tick.C
	}
	cancel()
	return errors.Join(err, <-done, r.Close())
})

// audited returns a store with 12 events in one chunk, which audit saw, and as the thirteenth
// the checkpoint behind the tenth.
func audited(t *testing.T) (dir string) {
	t.Helper()
	if err := auditOnce(); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(template, "data", "log"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withLog opens the store for a job.
func withLog(t *testing.T, dir string, job func(*log.Log)) {
	t.Helper()
	l, err := log.Open(dir, log.Options{VerifyEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	job(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// forge changes bytes in the chunk that holds them.
func forge(t *testing.T, dir, old, new string) {
	t.Helper()
	rewrite(t, dir, old, func(chunk []byte) []byte { return bytes.ReplaceAll(chunk, []byte(old), []byte(new)) })
}

// rewrite changes the chunk that holds some bytes and puts its checksum right, as somebody
// who can write the files would.
func rewrite(t *testing.T, dir, old string, change func(chunk []byte) []byte) {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := false
	for it.First(); it.Valid(); it.Next() {
		if !bytes.HasPrefix(it.Value(), []byte("AVXC")) || !bytes.Contains(it.Value(), []byte(old)) {
			continue
		}
		v := change(bytes.Clone(it.Value()))
		table := crc32.MakeTable(crc32.Castagnoli)
		binary.LittleEndian.PutUint32(v[8:], crc32.Update(crc32.Checksum(v[:8], table), table, v[12:]))
		if err := db.Set(bytes.Clone(it.Key()), v, pebble.Sync); err != nil {
			t.Fatal(err)
		}
		forged = true
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if !forged {
		t.Fatalf("no chunk holds %q", old)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// rows reads the chain.
func rows(t *testing.T, l *log.Log) map[string]string {
	t.Helper()
	snapshot := l.Snapshot()
	defer snapshot.Close()
	out := map[string]string{}
	err := snapshot.State("audit", 1).Scan(nil, nil, func(k, v []byte) bool {
		out[string(k)] = string(v)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// set changes the state of audit; an empty value deletes the key.
func set(t *testing.T, dir string, change func(rows map[string]string) map[string]string) {
	withLog(t, dir, func(l *log.Log) {
		cursor, err := l.Cursor("audit")
		if err != nil {
			t.Fatal(err)
		}
		c := log.Commit{Subscriber: "audit", StateVersion: 1, From: cursor.Next, To: cursor.Next, Fence: cursor.Fence}
		for k, v := range change(rows(t, l)) {
			c.Writes = append(c.Writes, log.StateWrite{Key: []byte(k), Value: []byte(v), Delete: v == ""})
		}
		if _, err := l.Commit(ctx, &c, log.Durable); err != nil {
			t.Fatal(err)
		}
	})
}

func key(n int) string { return fmt.Sprintf("entry/%020d", n) }

// rebuild makes the chain anew over rows whose seqs, metas and payloads stand.
func rebuild(rows map[string]string) map[string]string {
	prev := make([]byte, 32)
	for n := 1; rows[key(n)] != ""; n++ {
		w := strings.Split(rows[key(n)], " ")
		meta, _ := hex.DecodeString(w[1])
		payload, _ := hex.DecodeString(w[2])
		link := sha256.Sum256(append(append(prev, meta...), payload...))
		prev = link[:]
		w[3] = hex.EncodeToString(prev)
		rows[key(n)] = strings.Join(w, " ")
		rows["head"] = fmt.Sprintf("%d %s", n, w[3])
	}
	return rows
}

func payload(data string) string {
	b := binary.LittleEndian.AppendUint32([]byte{0, 0, 0, 0}, uint32(len(data)))
	d := sha256.Sum256(append(b, data...))
	return hex.EncodeToString(d[:])
}

// redact erases event 5.
func redact(t *testing.T, dir string) {
	withLog(t, dir, func(l *log.Log) {
		if _, err := l.Redact(ctx, 5, "asked for"); err != nil {
			t.Fatal(err)
		}
	})
}

// checks do one thing to a store and say what the chain then tells.
var checks = map[string]struct {
	do   func(t *testing.T, dir string)
	want string // findings, and what was counted
	also bool   // the log's own verification finds something as well
}{
	"nothing":  {nil, "12 whole", false},
	"redacted": {redact, "11 whole 1 redacted", false},
	// A redaction makes the log take its word for the chunk, and the forger hides behind it.
	"forged beside a redaction": {func(t *testing.T, dir string) {
		redact(t, dir)
		forge(t, dir, `"cents":10007`, `"cents":90007`)
	}, "event 8: entry 8 of the chain: its data or headers are not what audit saw; 10 whole 1 redacted", false},
	"topic forged": {func(t *testing.T, dir string) {
		redact(t, dir)
		forge(t, dir, "id06", "id66")
	}, "event 7: entry 7 of the chain: its topic, key, id, source, content type or times are not what audit saw; 10 whole 1 redacted", false},
	"forged in log and row": {func(t *testing.T, dir string) {
		forge(t, dir, `"cents":10007`, `"cents":90007`)
		set(t, dir, func(rows map[string]string) map[string]string {
			return map[string]string{key(8): strings.Replace(rows[key(8)], payload(`{"to":"ann","cents":10007}`), payload(`{"to":"ann","cents":90007}`), 1)}
		})
	}, "event 8: entry 8 of the chain: it does not follow from the one before: the chain was changed here; 12 whole", true},
	"forged and the chain made anew": {func(t *testing.T, dir string) {
		forge(t, dir, `"cents":10007`, `"cents":90007`)
		set(t, dir, func(rows map[string]string) map[string]string {
			rows[key(8)] = strings.Replace(rows[key(8)], payload(`{"to":"ann","cents":10007}`), payload(`{"to":"ann","cents":90007}`), 1)
			return rebuild(rows)
		})
	}, "event 13: entry 10 of the chain: the checkpoint that audit emitted in event 13 names another link; 12 whole", true},
	"row gone": {func(t *testing.T, dir string) {
		set(t, dir, func(map[string]string) map[string]string { return map[string]string{key(3): ""} })
	}, `entry 3 of the chain: the next row is "entry/00000000000000000004": rows were taken out or put in; ` +
		"event 4: entry 4 of the chain: it does not follow from the one before: the chain was changed here; event 3: it is in the log, but audit never saw it; 11 whole", false},
	"end gone": {func(t *testing.T, dir string) {
		set(t, dir, func(map[string]string) map[string]string { return map[string]string{key(12): ""} })
	}, "entry 11 of the chain: the chain ends here, but its head is", false},
	"rubbish": {func(t *testing.T, dir string) {
		set(t, dir, func(map[string]string) map[string]string { return map[string]string{key(6): "gap \xff 1 x"} })
	}, "entry 6 of the chain: the row is not what audit writes; event 7: entry 7 of the chain: it does not follow", false},
	// Data and headers are taken from an event as a redaction does, but nobody said why.
	"blanked": {func(t *testing.T, dir string) {
		redact(t, dir)
		rewrite(t, dir, "id06", func(chunk []byte) []byte {
			clear(chunk[bytes.Index(chunk, []byte("id06"))-6:][:6]) // the last of the event's header: u16 headers, u32 data
			return chunk
		})
	}, "event 7: entry 7 of the chain: its data or headers are not what audit saw; 10 whole 1 redacted", false},
	// And an event is taken out as retention by topic does.
	"taken out": {func(t *testing.T, dir string) {
		redact(t, dir)
		rewrite(t, dir, "id06", func(chunk []byte) []byte {
			table := binary.LittleEndian.Uint32(chunk[40:])
			clear(chunk[table+4*6:][:4])
			return chunk
		})
	}, "event 7: entry 7 of the chain: it is not in the log, and nothing says that retention dropped it; 10 whole 1 redacted", false},
	"dropped by topic": {func(t *testing.T, dir string) {
		withLog(t, dir, func(l *log.Log) {
			report, err := l.Retain(ctx, log.Retention{Force: true, Topics: []log.TopicRetention{
				{Pattern: "payments.*", Match: func(topic string) bool { return topic == "payments.made" }, MaxAge: time.Nanosecond},
			}})
			if err != nil || report.Events != 12 {
				t.Fatalf("%+v %v", report, err)
			}
		})
	}, "0 whole 12 left", false},
	"dropped by retention": {func(t *testing.T, dir string) {
		withLog(t, dir, func(l *log.Log) {
			if _, err := l.Append(ctx, []abi.Event{{Topic: "later", ID: "x", Source: "test"}}, log.Durable); err != nil {
				t.Fatal(err)
			}
			if report, err := l.Trim(ctx, 13, "age"); err != nil || report.To == 0 {
				t.Fatalf("%+v %v", report, err)
			}
		})
	}, "0 whole 12 left", false},
}

// TestCheck does one thing to a store and says what the chain then tells.
func TestCheck(t *testing.T) {
	for name, tt := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := audited(t)
			if tt.do != nil {
				tt.do(t, dir)
			}
			withLog(t, dir, func(l *log.Log) {
				verified, err := l.Verify(ctx, nil)
				if err != nil || len(verified.Damage) > 0 != tt.also {
					t.Errorf("the log's own verification: %v, %v", verified.Damage, err)
				}
				report, err := audit.Check(l, "audit", audit.Options{Match: func(topic string) bool { return topic == "payments.made" }})
				if err != nil {
					t.Fatal(err)
				}
				if got := tell(report); !strings.HasPrefix(got, tt.want) || len(report.Findings) == 0 && got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

func tell(r audit.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.String() + "; ")
	}
	fmt.Fprintf(&b, "%d whole", r.Whole)
	if r.Redacted > 0 {
		fmt.Fprintf(&b, " %d redacted", r.Redacted)
	}
	if r.Left > 0 {
		fmt.Fprintf(&b, " %d left", r.Left)
	}
	return b.String()
}

// TestExpect compares with a link that was kept elsewhere.
func TestExpect(t *testing.T) {
	withLog(t, audited(t), func(l *log.Log) {
		report, err := audit.Check(l, "audit", audit.Options{})
		if err != nil || report.Entries != 12 {
			t.Fatalf("%+v %v", report, err)
		}
		for text, findings := range map[string]int{
			fmt.Sprintf("12:%s", report.Link): 0, fmt.Sprintf("12:%s", strings.ToUpper(report.Link)): 0,
			fmt.Sprintf("11:%s", report.Link): 1, fmt.Sprintf("13:%s", report.Link): 1,
		} {
			mark, err := audit.ParseMark(text)
			if err != nil {
				t.Fatal(err)
			}
			if report, err := audit.Check(l, "audit", audit.Options{Expect: mark}); err != nil || len(report.Findings) != findings {
				t.Errorf("%s: %v %v", text, report.Findings, err)
			}
		}
		if _, err := audit.Check(l, "nobody", audit.Options{}); err == nil {
			t.Error("a subscriber that keeps no chain was checked")
		}
	})
	for _, text := range []string{"", "1", "0:" + strings.Repeat("0", 64), "x:y", "1:abcd", "-1:" + strings.Repeat("0", 64)} {
		if _, err := audit.ParseMark(text); err == nil {
			t.Errorf("%q is taken for a mark", text)
		}
	}
}
