package fault

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// Promise is one line of RELIABILITY.md in the making: a test, how many faults it
// injected, and whether the promise held.
type Promise struct {
	t      testing.TB
	mu     sync.Mutex
	record Record
}

// Record is the line as it is kept in the file that AVXRT_RELIABILITY names.
type Record struct {
	Promise  string    `json:"promise"` // P1 to P27
	Text     string    `json:"text"`
	Test     string    `json:"test"`
	Kind     string    `json:"kind"` // of faults
	Faults   int       `json:"faults"`
	Breaches int       `json:"breaches"` // planted ones that the test found
	Failed   bool      `json:"failed"`
	Seed     uint64    `json:"seed"`
	Level    string    `json:"level"`
	Date     time.Time `json:"date"`
}

// Prove begins the test of a promise. The seed is the clock's, or AVXRT_SEED's where a
// failure is to be seen again; it is printed. At the end of the test the record is
// printed too, and appended to the file that AVXRT_RELIABILITY names, if it does.
func Prove(t testing.TB, promise, kind, text string) *Promise {
	t.Helper()
	level := os.Getenv("AVXRT_FAULTS")
	if level == "" {
		level = "test"
	}
	p := &Promise{t: t, record: Record{
		Promise: promise, Text: text, Kind: kind, Test: t.Name(), Seed: seed(t), Level: level, Date: time.Now().UTC().Truncate(time.Second),
	}}
	t.Logf("%s: seed %d (AVXRT_SEED=%d repeats it)", promise, p.record.Seed, p.record.Seed)
	t.Cleanup(p.end)
	return p
}

// Rand returns the randomness of the test.
func (p *Promise) Rand() *rand.Rand { return rand.New(rand.NewPCG(p.record.Seed, 0)) }

// Injected counts n faults.
func (p *Promise) Injected(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Faults += n
}

// Breach says that the test found a breach which was planted for it to find. A test that
// does not find it must fail.
func (p *Promise) Breach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Breaches++
}

func (p *Promise) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Failed = p.t.Failed()
	line, err := json.Marshal(p.record)
	if err != nil {
		p.t.Error(err)
		return
	}
	p.t.Logf("%s", line)
	path := os.Getenv("AVXRT_RELIABILITY")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Error(err)
		return
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		p.t.Error(err)
	}
	if err := f.Close(); err != nil {
		p.t.Error(err)
	}
}
