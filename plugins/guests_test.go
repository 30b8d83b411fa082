package plugins_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/sandbox"
	"github.com/avx-platform/avxrt/internal/shop"
	"github.com/avx-platform/avxrt/internal/trial"
	"github.com/avx-platform/avxrt/plugins"
	"github.com/avx-platform/avxrt/router"
)

var ctx = context.Background()

// guests are the shipped subscribers with a config that uses what they have, and what an
// ordinary event may cost.
var guests = map[string]struct {
	config map[string]string
	fuel   int64
}{
	"analytics": {nil, 400_000},
	"inventory": {map[string]string{"opening_stock": "3", "low_stock": "2"}, 400_000},
	"email": {map[string]string{
		"http.request.completed.to": "{user}@shop.test", "http.request.completed.text": "{path} {data} {a.b.c}", "http.request.completed.when": "status!=200",
	}, 2_000_000},
	"logging": {map[string]string{"redact_values": "email,card,ipv4,sk_*,*x*y*z*"}, 400_000},
	"metrics": {nil, 600_000},
	"audit":   {map[string]string{"checkpoint": "10"}, 200_000},
	"notification": {map[string]string{
		"rules": "a,b", "a.topic": "orders.*", "a.channel": "chat", "a.to": "{customer}", "a.text": "{order} {lines} {country}", "a.when": "country!=France",
		"b.topic": "http.**", "b.channel": "sms", "b.to": "ops", "b.text": "{route} {path} {a.b}", "b.when": "status>=200", "b.throttle": "2/1h", "b.digest": "true",
	}, 400_000},
}

// compiled is a folder for what engines compile: the one in Go takes seconds, under the race
// detector many, so the tests share it.
var compiled string

func TestMain(m *testing.M) {
	var err error
	if compiled, err = os.MkdirTemp("", "avxrt-plugins-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(compiled)
	os.Exit(code)
}

func engine(t *testing.T) *sandbox.Engine {
	t.Helper()
	e, err := sandbox.NewEngine(ctx, sandbox.Options{CacheDir: compiled})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(ctx) })
	return e
}

func open(t *testing.T, e *sandbox.Engine, name string, config map[string]string) *trial.Trial {
	t.Helper()
	wasm, err := fs.ReadFile(plugins.FS, name+".wasm")
	if err != nil {
		t.Fatal(err)
	}
	var grants []router.Pattern
	for _, text := range []string{"**", "$effect.**", "$audit.**"} {
		p, err := router.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		grants = append(grants, p)
	}
	guest, err := trial.Open(ctx, e, trial.Options{
		Name: name, Module: wasm, Config: config, Grants: grants, Limits: sandbox.Limits{Time: 20 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guest.Close(ctx) })
	return guest
}

// hostile returns data that is made to break readers of JSON.
func hostile() [][]byte {
	long := strings.Repeat("a@b.test ", 100_000)
	out := [][]byte{
		nil, {0}, []byte("null"), []byte("0"), []byte(`""`), []byte("[]"), []byte("{}"), []byte("{"), []byte(`{"`), []byte(`{"a":`), []byte(`{"a":1,}`),
		[]byte(strings.Repeat("[", 100_000)), []byte(strings.Repeat(`{"a":`, 100_000)), []byte(strings.Repeat("[", 63) + strings.Repeat("]", 63)),
		[]byte(`{"order":"\ud800","customer":"\udc00\ud800","country":"\u0000","lines":[]}`), []byte("{\"order\":\"\xff\xfe\",\"country\":\"\xc0\x80\",\"lines\":[]}"),
		[]byte(`{"order":"` + long + `","country":"` + long + `","lines":[]}`), []byte(`{"` + long + `":1}`), []byte(`{"\u0061` + long + `":"\n` + long + `"}`),
		[]byte(`{"order":1,"lines":{},"country":[]}`), []byte(`{"order":"1","country":"x","lines":[{"sku":"a","qty":-9223372036854775808,"cents":9223372036854775807}]}`),
		[]byte(`{"order":"1","country":"x","customer":"1","lines":[` + strings.Repeat(`{"sku":"a","name":"b","qty":1000000,"cents":1000000000},`, 15_000) + `{"sku":"a","qty":1,"cents":1}]}`),
		[]byte(`{"method":"GET","route":"/","status":200,"duration_us":1,"bytes":1,"experiment":"a\tb","variant":"c"}`),
		[]byte(`{"method":"","route":null,"status":1e3,"duration_us":-1,"bytes":1.5}`), []byte(`{"rule":"b","to":"` + long[:4000] + `","start":9223372036854775807}`),
		[]byte(`{"status":503,"route":"` + strings.Repeat("4111 1111 1111 1111-", 50_000) + `"}`), []byte(`[` + strings.Repeat("4111111111111111,", 60_000) + `1]`),
		bytes.Repeat([]byte(" "), 1<<20), []byte(`{"a":"` + strings.Repeat("xyxyxyxy", 1000) + `"}`), []byte(`"` + strings.Repeat(`\u0000`, 100_000) + `"`),
	}
	return out
}

// mutants returns good events with something wrong in each.
func mutants(n int) (out []shop.Event) {
	rng := rand.New(rand.NewPCG(7, 7))
	good := shop.Generate(shop.Options{Seed: 11, Orders: 40, Requests: 40})
	for range n {
		ev := good[rng.IntN(len(good))]
		ev.Data = bytes.Clone(ev.Data)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(ev.Data))
			switch rng.IntN(4) {
			case 0:
				ev.Data[at] = byte(rng.IntN(256))
			case 1:
				ev.Data = append(ev.Data[:at:at], ev.Data[min(at+1+rng.IntN(9), len(ev.Data)):]...)
			case 2:
				ev.Data = append(ev.Data[:at:at], append([]byte(`"{[:,]}\0-9e+`[rng.IntN(13):]), ev.Data[at:]...)...)
			case 3:
				ev.Data = bytes.Replace(ev.Data, []byte(":"), []byte(`:-99999999999999999999`), 1)
			}
			if len(ev.Data) == 0 {
				break
			}
		}
		out = append(out, ev)
	}
	return out
}

// TestHostile gives each guest what is made to break it: it may refuse an event and say why,
// and must neither trap nor stop. An event that is refused costs the instance: under the race
// detector, which looks at a guest's memory byte by byte when one is made, there are fewer of them,
// and make faults gives all.
func TestHostile(t *testing.T) {
	e := engine(t)
	topics := []string{"orders.created", "orders.cancelled", "stock.received", shop.TopicRequest, "notification.digest", "anything.else"}
	for name, g := range guests {
		t.Run(name, func(t *testing.T) {
			guest := open(t, e, name, g.config)
			ends := map[trial.End]int{}
			give := func(ev abi.Event) {
				out, err := guest.Handle(ctx, ev)
				if err != nil {
					t.Fatal(err)
				}
				ends[out.End]++
				if out.Trap != nil || out.End == trial.Stopped || out.End == trial.Retry || out.End == trial.Rejected && out.Reason == "" {
					t.Errorf("%s %.60q (%d bytes): %s %s", ev.Topic, ev.Data, len(ev.Data), out.End, out.Reason)
				}
			}
			for _, topic := range topics {
				if name == "email" && !strings.Contains("orders.created "+shop.TopicRequest, topic) {
					continue // it skips them, and Go takes its time
				}
				for i, data := range hostile() {
					kind := abi.KindEvent
					if topic == "notification.digest" && i%2 == 1 {
						kind = abi.KindTimer
					}
					give(abi.Event{Topic: topic, Key: fmt.Sprintf("k\t%d\xff", i), Data: data, Kind: kind})
				}
			}
			for _, ev := range mutants(someMutants) {
				give(abi.Event{Topic: ev.Topic, Key: ev.Key, Data: ev.Data})
			}
			give(abi.Event{Topic: strings.Repeat(strings.Repeat("t", 30)+".", 8) + "t", Key: strings.Repeat("k", 1024)})
			t.Logf("%v", ends)
		})
	}
}

// TestFuel: what an ordinary event costs stays what the READMEs say.
func TestFuel(t *testing.T) {
	e := engine(t)
	for name, g := range guests {
		t.Run(name, func(t *testing.T) {
			guest := open(t, e, name, g.config)
			cost := map[string][]int64{}
			for _, ev := range shop.Generate(shop.Options{Seed: 3, Orders: 200, Requests: 200}) {
				out, err := guest.Handle(ctx, abi.Event{Topic: ev.Topic, Key: ev.Key, Time: ev.Time.UnixNano(), Data: ev.Data})
				if err != nil || out.Trap != nil {
					t.Fatal(err, out.Trap)
				}
				cost[ev.Topic] = append(cost[ev.Topic], out.Fuel)
			}
			for topic, all := range cost {
				sum, most := int64(0), int64(0)
				for _, n := range all[len(all)/2:] { // once it is warm
					sum, most = sum+n, max(most, n)
				}
				mean := sum / int64(len(all)-len(all)/2)
				t.Logf("%-24s fuel %7d, at most %7d", topic, mean, most)
				if mean > g.fuel {
					t.Errorf("%s: fuel %d for an event, want at most %d", topic, mean, g.fuel)
				}
			}
		})
	}
}

// TestMetricsAreBounded publishes names without end.
func TestMetricsAreBounded(t *testing.T) {
	guest := open(t, engine(t), "metrics", nil)
	for i := range 400 {
		data := fmt.Sprintf(`{"method":"M%d","route":"/r%d","status":%d,"duration_us":1,"bytes":1}`, i, i, 100+i)
		for _, ev := range []abi.Event{{Topic: fmt.Sprintf("t.%d", i)}, {Topic: shop.TopicRequest, Data: []byte(data)}} {
			if out, err := guest.Handle(ctx, ev); err != nil || out.End != trial.Handled {
				t.Fatal(out.End, out.Reason, err)
			}
		}
	}
	series := 0
	for k := range guest.State() {
		if strings.HasPrefix(k, "metric/") {
			series++
		}
	}
	other := string(guest.State()[`metric/http_requests_total{route="other",status="4xx"}`])
	if series < 400 || series > 1000 || other != "100" {
		t.Errorf("%d series; %s requests of other routes with status 4xx, want 100", series, other)
	}
}

// TestAuditGap: what left the log before audit could see it is a link of its own.
func TestAuditGap(t *testing.T) {
	guest := open(t, engine(t), "audit", nil)
	for _, ev := range []abi.Event{
		{Topic: "a.b", Seq: 1, Data: []byte("one")}, {Kind: abi.KindControl, Topic: "$sys.gap", Seq: 8, Data: []byte(`{"from":2,"to":8}`)},
		{Topic: "a.b", Seq: 9, Data: []byte("two")},
	} {
		if out, err := guest.Handle(ctx, ev); err != nil || out.End != trial.Handled {
			t.Fatal(out.End, out.Reason, err)
		}
	}
	first := strings.Fields(string(guest.State()["entry/00000000000000000001"]))
	prev, err := hex.DecodeString(first[len(first)-1])
	if err != nil {
		t.Fatal(err)
	}
	link := sha256.Sum256(append(prev, "gap\x02\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00"...))
	if got, want := string(guest.State()["entry/00000000000000000002"]), "gap 2 8 "+hex.EncodeToString(link[:]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if third := string(guest.State()["entry/00000000000000000003"]); !strings.HasPrefix(third, "9 ") {
		t.Errorf("the event behind the gap: %q", third)
	}
}
