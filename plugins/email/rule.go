package main

import (
	"bytes"
	"strconv"
	"strings"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

// rule is what the config says about a topic.
type rule struct{ to, subject, text, when string }

// ruleOf finds the rule of a topic: <topic>.to and so on. Orders that were created have one
// without any config, whose parts are to, subject and text.
func ruleOf(topic string) (rule, bool) {
	r := rule{subject: "About {key}", text: "{topic} {key}\n\n{data}\n"}
	to, ok := avx.Conf(topic + ".to")
	if topic == "orders.created" {
		r = rule{
			subject: conf("subject", "Your order {order}"),
			text:    conf("text", "Thank you for your order {order}.\n\n{lines}\nTotal: {total}\n"),
		}
		if !ok {
			to, ok = conf("to", "{customer}@example.com"), true
		}
	}
	r.to = to
	r.subject, r.text = conf(topic+".subject", r.subject), conf(topic+".text", r.text)
	r.when = conf(topic+".when", "")
	return r, ok
}

func conf(key, byDefault string) string {
	if value, ok := avx.Conf(key); ok {
		return value
	}
	return byDefault
}

// wanted says whether the event is one that the rule's condition names: field=value or field!=value.
func (r *rule) wanted(v *values) (bool, error) {
	if r.when == "" {
		return true, nil
	}
	field, want, ok := strings.Cut(r.when, "=")
	if !ok {
		return false, avx.Stop("config: a when is not FIELD=VALUE or FIELD!=VALUE")
	}
	field, not := strings.CutSuffix(field, "!")
	if (v.get(field) == want) == not {
		return false, avx.Add("skipped/when", 1)
	}
	return true, nil
}

// values are what templates can have of an event.
type values struct {
	ev    *avx.Event
	order *order // of topics orders.*
}

// fill puts values in the place of {names}. What is put in is not searched again.
func (v *values) fill(template string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok || name == "" || strings.ContainsAny(name, " \n{") {
			b.WriteByte('{')
			template = rest
			continue
		}
		b.WriteString(v.get(name))
		template = after
	}
}

// get returns the value of a name: an attribute of the event, a part of an order, or a field
// of the data, with dots between for a field within a field. What is not there is empty.
func (v *values) get(name string) string {
	if v.order != nil {
		if s, ok := v.order.field(name); ok {
			return s
		}
	}
	switch name {
	case "topic":
		return v.ev.Topic
	case "key":
		return v.ev.Key
	case "id":
		return v.ev.ID
	case "seq":
		return strconv.FormatUint(v.ev.Seq, 10)
	case "time":
		return stamp(v.ev.Time)
	case "data":
		return string(v.ev.Data[:min(len(v.ev.Data), maxQuoted)])
	}
	return field(v.ev.Data, name)
}

// maxQuoted bounds what {data} puts into a mail.
const maxQuoted = 4096

// field finds a field of JSON: a text without its quotes, anything else as it stands.
func field(data []byte, path string) string {
	name, rest, deeper := strings.Cut(path, ".")
	data = bytes.TrimLeft(data, " \t\r\n")
	if !bytes.HasPrefix(data, []byte("{")) {
		return ""
	}
	j := avx.ReadJSON(data)
	var found []byte
	for j.Object(); j.Key(); {
		if j.Is(name) {
			found = j.Skip()
		} else {
			j.Skip()
		}
	}
	switch {
	case deeper:
		return field(found, rest)
	case len(found) > 0 && found[0] == '"':
		text := avx.ReadJSON(found)
		return string(text.String().Append(nil))
	case string(found) == "null":
		return ""
	}
	return string(found)
}

// stamp writes nanoseconds since 1970 as 2026-03-02T08:00:00Z. Package time would do it, and
// make the module a seventh larger. The year begins in March here: the leap day is its last.
func stamp(ns int64) string {
	s := floor(ns, 1_000_000_000)
	days := floor(s, 86_400)
	z := days + 719_468
	era := floor(z, 146_097)
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	month, year := mp+3, yoe+era*400
	if mp >= 10 {
		month, year = mp-9, year+1
	}
	b := strconv.AppendInt(nil, year, 10)
	s -= days * 86_400
	for _, part := range []struct {
		before byte
		n      int64
	}{{'-', month}, {'-', doy - (153*mp+2)/5 + 1}, {'T', s / 3600}, {':', s / 60 % 60}, {':', s % 60}} {
		b = append(b, part.before, byte('0'+part.n/10), byte('0'+part.n%10))
	}
	return string(append(b, 'Z'))
}

func floor(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
