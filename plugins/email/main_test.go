package main

import (
	"strings"
	"testing"

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
		`"text":"Thank you for your order 7.\u000a\u000a  2 x MUG \"TALL\"  5.00\u000a  1 x GIFT  0.00\u000a\u000aTotal: 5.00\u000a"}`}
	if len(f.Emits) != 1 || f.Emits[0] != want {
		t.Fatalf("got  %+v\nwant %+v", f.Emits, want)
	}
	if f.State["composed"] != "1" {
		t.Fatalf("state %v", f.State)
	}
}

func TestTemplatesAndHeaders(t *testing.T) {
	f := &avx.Fake{Config: map[string]string{"to": "{customer}@shop.test", "subject": "{total} for {customer}"}}
	if err := deliver(f, strings.Replace(orderText, "Ada", `Eve\r\nBcc: all`, 1)); err != nil {
		t.Fatal(err)
	}
	if got := f.Emits[0].Data; !strings.Contains(got, `"to":"EveBcc: all@shop.test","subject":"5.00 for EveBcc: all"`) {
		t.Fatalf("got %s", got)
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
