package cloudevents_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
)

func TestRoundTrip(t *testing.T) {
	headers, _ := abi.Headers(nil).Append("correlationid", "c \"1\"")
	for name, ev := range map[string]abi.Event{
		"json":    {ID: "1", Source: "/s", Topic: "a.b", Key: "k", Time: 1_500_000_000_123_456_789, Headers: headers, Data: []byte(`{"a": [1, 2]}`)},
		"text":    {ID: "1", Source: "/s", Topic: "a", ContentType: "text/plain", Data: []byte("héllo \"x\"\n")},
		"binary":  {ID: "1", Source: "/s", Topic: "a", ContentType: "image/png", Data: []byte{0, 255, 1}},
		"no text": {ID: "1", Source: "/s", Topic: "a", Data: []byte("{\"a\": \"\xff\"}")},
		"astral":  {ID: "\ufffd\U0001f600", Source: "/s", Topic: "a", ContentType: "text/plain", Data: []byte("\ufffd\U0001f600")},
		"broken":  {ID: "1", Source: "/s", Topic: "a", Data: []byte(`{"cut":`)},
		"empty":   {ID: "1", Source: "/s", Topic: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			text := cloudevents.AppendJSON(nil, &ev)
			got, err := cloudevents.ParseJSON(text)
			if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			if got.ID != ev.ID || got.Topic != ev.Topic || got.Key != ev.Key || got.Time != ev.Time || got.ContentType != ev.ContentType ||
				string(got.Data) != string(ev.Data) || string(got.Headers) != string(ev.Headers) {
				t.Fatalf("%s\ngot  %+v\nwant %+v", text, got, ev)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	text := string(cloudevents.AppendJSON(nil, &abi.Event{ID: "1", Source: "/s", Topic: "a", Seq: 42, Appended: 1e9}))
	want := `{"specversion":"1.0","id":"1","source":"/s","type":"a","sequence":"00000000000000000042","recordedtime":"1970-01-01T00:00:01Z"}`
	if text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestRefusals(t *testing.T) {
	base := `"specversion":"1.0","id":"1","source":"/s","type":"a"`
	for name, tt := range map[string]struct{ text, attribute string }{
		"no object":     {`[]`, ""},
		"cut":           {`{` + base, ""},
		"behind":        {`{` + base + `}{}`, ""},
		"no version":    {`{"id":"1","source":"/s","type":"a"}`, "specversion"},
		"other version": {`{"specversion":"0.3","id":"1","source":"/s","type":"a"}`, "specversion"},
		"no id":         {`{"specversion":"1.0","source":"/s","type":"a"}`, "id"},
		"no source":     {`{"specversion":"1.0","id":"1","type":"a"}`, "source"},
		"no type":       {`{"specversion":"1.0","id":"1","source":"/s"}`, "type"},
		"twice":         {`{` + base + `,"id":"2"}`, "id"},
		"bad name":      {`{` + base + `,"Trace-Id":"2"}`, "Trace-Id"},
		"object":        {`{` + base + `,"ext":{}}`, "ext"},
		"control":       {`{` + base + `,"subject":"a\u0000"}`, "subject"},
		"time":          {`{` + base + `,"time":"yesterday"}`, "time"},
		"both data":     {`{` + base + `,"data":1,"data_base64":"AA=="}`, "data_base64"},
		"base64":        {`{` + base + `,"data_base64":"?"}`, "data_base64"},
		"not UTF-8":     {`{"specversion":"1.0","id":"` + "\xff" + `","source":"/s","type":"a"}`, ""},
		"half":          {`{"specversion":"1.0","id":"\ud800","source":"/s","type":"a"}`, "id"},
		"other half":    {`{"specversion":"1.0","id":"\ud83d\ude00\ude00","source":"/s","type":"a"}`, "id"},
		"half of two":   {`{"specversion":"1.0","id":"\ud800\u0041","source":"/s","type":"a"}`, "id"},
		"half as text":  {`{` + base + `,"datacontenttype":"text/plain","data":"\\\ud800"}`, "data"},
		"deep":          {`{` + base + `,"data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cloudevents.ParseJSON([]byte(tt.text))
			var e *cloudevents.Error
			if !errors.As(err, &e) || e.Attribute != tt.attribute {
				t.Fatalf("got %v, want an error of %q", err, tt.attribute)
			}
			_, err = cloudevents.ParseBatch([]byte(`[{` + base + `},` + tt.text + `]`))
			if !errors.As(err, &e) || (tt.attribute != "" && e.Index != 1) {
				t.Fatalf("in a batch: %v at %d", err, e.Index)
			}
		})
	}
}

// TestWholeCharacters reads escapes that only look like half a character.
func TestWholeCharacters(t *testing.T) {
	for text, want := range map[string]string{`\ud83d\ude00\ufffd`: "\U0001f600\ufffd", `\\ud800\ufffd`: `\ud800` + "\ufffd"} {
		ev, err := cloudevents.ParseJSON([]byte(`{"specversion":"1.0","id":"` + text + `","source":"/s","type":"a"}`))
		if err != nil || ev.ID != want {
			t.Errorf("%s: got %q, %v; want %q", text, ev.ID, err, want)
		}
	}
}

// TestNoList refuses null, which decodes into a list of nothing.
func TestNoList(t *testing.T) {
	for _, text := range []string{"null", "{}", "1", ""} {
		if got, err := cloudevents.ParseBatch([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got, err := cloudevents.ParseBatch([]byte("[]")); err != nil || len(got) != 0 {
		t.Errorf("an empty list: %v, %v", got, err)
	}
}

// TestNoSecondData refuses headers that would stand beside an attribute in JSON.
func TestNoSecondData(t *testing.T) {
	for _, name := range []string{"Ce-Data", "Ce-Data_base64"} {
		h := http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"a"}, name: {"x"}}
		if ev, err := cloudevents.ParseHTTP(h, nil); err == nil {
			t.Errorf("%s: %+v", name, ev)
		}
	}
}

func TestBinaryMode(t *testing.T) {
	h := http.Header{"Content-Type": {"application/json"}}
	for k, v := range map[string]string{"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "a", "ce-subject": "caf%C3%A9%20%22x%22", "ce-tenant": `"old \"style\""`} {
		h.Set(k, v)
	}
	ev, err := cloudevents.ParseHTTP(h, []byte("{}"))
	tenant, _ := ev.Headers.Get("tenant")
	if err != nil || ev.Key != `café "x"` || tenant != `old "style"` || string(ev.Data) != "{}" {
		t.Fatalf("got %+v, %v", ev, err)
	}
	for attribute, value := range map[string]string{"datacontenttype": "x", "subject": "%FF", "time": "x", "id": ""} {
		bad := h.Clone()
		bad.Set("ce-"+attribute, value)
		var e *cloudevents.Error
		if _, err := cloudevents.ParseHTTP(bad, nil); !errors.As(err, &e) || e.Attribute != attribute {
			t.Errorf("%s: %v", attribute, err)
		}
	}
}

func TestModeOf(t *testing.T) {
	for contentType, want := range map[string]cloudevents.Mode{
		"application/json": cloudevents.Binary, "": cloudevents.Binary, "application/cloudevents+json; charset=utf-8": cloudevents.Structured,
		"application/cloudevents-batch+json": cloudevents.Batch, "application/cloudevents+avro": cloudevents.Unknown,
	} {
		if got := cloudevents.ModeOf(contentType); got != want {
			t.Errorf("%q: %v, want %v", contentType, got, want)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"a","time":"2026-01-01T00:00:00Z","data":{"a":1},"x":true}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"a","datacontenttype":"text/plain","data":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, err := cloudevents.ParseJSON(b)
		if err != nil {
			return
		}
		again, err := cloudevents.ParseJSON(cloudevents.AppendJSON(nil, &ev))
		if err != nil || again.ID != ev.ID || again.Topic != ev.Topic || again.Time != ev.Time || string(again.Headers) != string(ev.Headers) {
			t.Fatalf("%q: wrote %q: %+v, %v", b, cloudevents.AppendJSON(nil, &ev), again, err)
		}
	})
}
