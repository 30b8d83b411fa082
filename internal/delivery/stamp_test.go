package delivery_test

import (
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/delivery"
)

func TestStamp(t *testing.T) {
	s := delivery.Stamper{Subscriber: "inventory", Source: "/avxrt/n"}
	root := abi.Event{Seq: 42, ID: "inv-1", Time: 7}
	emit := abi.Event{Topic: "inventory.low", ID: "mine", Source: "mine", Time: 99}
	emit.Headers, _ = emit.Headers.Append("hops", "0")
	emit.Headers, _ = emit.Headers.Append("tenant", "a")
	if err := s.Stamp(&root, &emit, 3); err != nil {
		t.Fatal(err)
	}
	if emit.ID != "inventory-42-3" || emit.Source != "/avxrt/n" || emit.Time != 7 {
		t.Errorf("got id %q, source %q, time %d", emit.ID, emit.Source, emit.Time)
	}
	want := map[string]string{"tenant": "a", "correlationid": "inv-1", "causationid": "inv-1", "hops": "1"}
	for k, v := range emit.Headers.All() {
		if want[k] != v {
			t.Errorf("header %s is %q, want %q", k, v, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Errorf("missing headers %v", want)
	}

	second := abi.Event{Topic: "x"}
	emit.Seq = 50
	if err := s.Stamp(&emit, &second, 0); err != nil {
		t.Fatal(err)
	}
	if c, _ := second.Headers.Get("correlationid"); c != "inv-1" {
		t.Errorf("correlation is %q, want the root's", c)
	}
	if c, _ := second.Headers.Get("causationid"); c != "inventory-42-3" || delivery.Hops(&second) != 2 {
		t.Errorf("causation %q, hops %d", c, delivery.Hops(&second))
	}
}
