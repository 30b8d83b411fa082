package main

import (
	"strings"
	"testing"
	"time"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

const orderText = `{"order":"7","customer":"Ada","country":"Norway","lines":[` +
	`{"sku":"A","name":"MUG \"TALL\"","qty":2,"cents":250},{"sku":"B","name":"GIFT","qty":1,"cents":0}]}`

func deliver(f *avx.Fake, data string) error {
	return f.Deliver(&avx.Event{Topic: "orders.created", Key: "order-7", Data: []byte(data)})
}

func TestCompose(t *testing.T) {
	f := &avx.Fake{}
	if err := deliver(f, orderText); err != nil {
		t.Fatal(err)
	}
	want := avx.Emitted{Topic: effect, Key: "order-7", Data: `{"to":"Ada@example.com","subject":"Your order 7",` +
		`"text":"Thank you for your order 7.\n\n  2 x MUG \"TALL\"  5.00\n  1 x GIFT  0.00\n\nTotal: 5.00\n"}`}
	if len(f.Emits) != 1 || f.Emits[0] != want {
		t.Fatalf("got  %+v\nwant %+v", f.Emits, want)
	}
	if f.State["composed"] != "1" {
		t.Fatalf("state %v", f.State)
	}
}

func TestTemplatesAndHeaders(t *testing.T) {
	f := &avx.Fake{Config: map[string]string{"to": "someone@shop.test", "subject": "{total} for {customer}"}}
	if err := deliver(f, strings.Replace(orderText, "Ada", `Eve\r\nBcc: all`, 1)); err != nil {
		t.Fatal(err)
	}
	if got := f.Emits[0].Data; !strings.Contains(got, `"to":"someone@shop.test","subject":"5.00 for EveBcc: all"`) {
		t.Fatalf("got %s", got)
	}
}

// TestRules gives other topics their own templates, and asks for one kind of event alone.
func TestRules(t *testing.T) {
	f := &avx.Fake{Config: map[string]string{
		"inventory.low.to": "stock@shop.test", "inventory.low.subject": "{key}: low, {nested.sku} {nested.none}{",
		"inventory.low.text": "{topic} {id} {seq} {time} {n} {flag} {none} {order} {not a name} {{n}} {data}", "inventory.low.when": "kind!=test",
	}}
	low := avx.Event{Topic: "inventory.low", Key: "k", ID: "i", Seq: 7, Time: 1_700_000_000_000_000_000}
	for _, data := range []string{` {"kind":"test"}`, ` {"n":1.50,"flag":true,"none":null,"nested":{"sku":"A\u0042 {n}"},"order":"x"}`} {
		low.Data = []byte(data)
		if err := f.Deliver(&low); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"to":"stock@shop.test","subject":"k: low, AB {n} {",` +
		`"text":"inventory.low i 7 2023-11-14T22:13:20Z 1.50 true  x {not a name} {1.50}  {\"n\":1.50,\"flag\":true,\"none\":null,\"nested\":{\"sku\":\"A\\u0042 {n}\"},\"order\":\"x\"}"}`
	if len(f.Emits) != 1 || f.Emits[0].Data != want {
		t.Fatalf("got  %+v\nwant %s", f.Emits, want)
	}
	if f.State["skipped/when"] != "1" || f.State["composed"] != "1" {
		t.Fatalf("state %v", f.State)
	}
}

// TestDryRun composes, says so and asks for nothing.
func TestDryRun(t *testing.T) {
	f := &avx.Fake{Config: map[string]string{"dry_run": "true"}}
	if err := deliver(f, orderText); err != nil {
		t.Fatal(err)
	}
	if len(f.Emits) != 0 || f.State["dry"] != "1" || len(f.Logs) != 1 || !strings.Contains(f.Logs[0], "a mail to Ada@example.com: Your order 7") {
		t.Fatalf("%v %v %q", f.Emits, f.State, f.Logs)
	}
}

// TestAddresses: nobody's name becomes a second recipient, or an address of his choice.
func TestAddresses(t *testing.T) {
	for name, ok := range map[string]bool{
		"Ada": true, "a.b+c": true, "": false, "a@b.test,c": false, "a b": false, "<a>": false, "x:y": false, `a\\b`: false, "a@evil.test": false,
		strings.Repeat("a", 65): false,
	} {
		f := &avx.Fake{Config: map[string]string{"to": "{customer}@shop.test", "orders.created.when": "order=7"}}
		if name == "" {
			f.Config["to"] = "{country}{missing}"
		}
		err := deliver(f, strings.Replace(orderText, "Ada", name, 1))
		if name == "" {
			err = deliver(f, orderText)
		}
		if (err == nil) != ok || (len(f.Emits) == 1) != ok {
			t.Errorf("customer %q: %v, %v", name, err, f.Emits)
		}
	}
}

func TestUnknownTopic(t *testing.T) {
	f := &avx.Fake{}
	err := f.Deliver(&avx.Event{Topic: "inventory.low", Data: []byte(`{}`)})
	if failure, ok := err.(*avx.Failure); !ok || failure.Code != 3 || !strings.Contains(failure.Reason, "inventory.low.to") {
		t.Fatalf("got %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct{ data, want string }{
		"cut":       {orderText[:50], "malformed JSON"},
		"no lines":  {`{"order":"7","customer":"Ada"}`, "lines: missing"},
		"no order":  {`{"lines":[],"customer":"Ada"}`, "order: missing"},
		"absurd":    {strings.Replace(orderText, `"qty":2`, `"qty":99999999999999999999`, 1), "beyond 64 bits"},
		"too many":  {strings.Replace(orderText, `"qty":2`, `"qty":1000001`, 1), "beyond 1,000,000"},
		"no price":  {strings.Replace(orderText, `,"cents":250`, ``, 1), "cents are missing"},
		"behind it": {orderText + "x", "malformed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &avx.Fake{}
			if err := deliver(f, tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if len(f.Emits)+len(f.State) != 0 {
				t.Fatalf("a rejected order left %v %v", f.Emits, f.State)
			}
		})
	}
}

func TestNoCustomer(t *testing.T) {
	f := &avx.Fake{}
	for _, customer := range []string{`"customer":"",`, `"customer":null,`, ``} {
		if err := deliver(f, strings.Replace(orderText, `"customer":"Ada",`, customer, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.Emits) != 0 || f.State["skipped/no-customer"] != "3" {
		t.Fatalf("got %v %v", f.Emits, f.State)
	}
}

func TestStamp(t *testing.T) {
	for ns := int64(-3e18); ns < 8e18; ns += 86_399_123_456_789 * 3 {
		if got, want := stamp(ns), time.Unix(0, ns).UTC().Format(time.RFC3339); got != want {
			t.Fatalf("%d: got %s, want %s", ns, got, want)
		}
	}
}
