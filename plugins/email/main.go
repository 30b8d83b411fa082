// Command email is a subscriber that composes mails about events and asks for them to be
// sent. README.md says what it takes and keeps.
package main

import (
	"strings"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() { avx.Handle(handle) }

func main() {}

const effect = "$effect.smtp.send"

func handle(ev *avx.Event) error {
	m, ok := ruleOf(ev.Topic)
	if !ok {
		return avx.Skip("no rule for this topic: set " + ev.Topic + ".to in the config")
	}
	v := values{ev: ev}
	if strings.HasPrefix(ev.Topic, "orders.") {
		v.order = new(order)
		if err := v.order.read(ev.Data); err != nil {
			return err
		}
	} else if j := avx.ReadJSON(ev.Data); j.Skip() == nil || j.End() != nil {
		return avx.Reject("the data is not JSON")
	}
	if wanted, err := m.wanted(&v); !wanted || err != nil {
		return err
	}
	if v.order != nil && v.order.customer == "" && strings.Contains(m.to, "{customer}") {
		return avx.Add("skipped/no-customer", 1)
	}
	to := oneLine(v.fill(m.to))
	if !isAddress(to) {
		return avx.Reject("to: comes out as something that is no address")
	}
	return send(ev, to, oneLine(v.fill(m.subject)), v.fill(m.text))
}

// send asks for the mail, or says what it would have asked for.
func send(ev *avx.Event, to, subject, text string) error {
	if dry, ok := avx.Conf("dry_run"); ok && dry != "false" {
		avx.Log(avx.Info, "dry run: a mail to "+to+": "+subject)
		return avx.Add("dry", 1)
	}
	b := append([]byte(nil), `{"to":`...)
	b = avx.AppendJSONString(b, to)
	b = avx.AppendJSONString(append(b, `,"subject":`...), subject)
	b = avx.AppendJSONString(append(b, `,"text":`...), text)
	if err := avx.Emit(effect, ev.Key, append(b, '}')); err != nil {
		if err == avx.Denied {
			return avx.Stop("an emit was denied: grant " + effect + " in the manifest's emits")
		}
		return avx.Reject("the mail was refused by the host: " + err.Error())
	}
	return avx.Add("composed", 1)
}

// isAddress says whether s can be the one recipient of a mail. Whatever a customer calls
// himself, it must not become two addresses, or a name with an address of his choice.
func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && len(local) <= 64 && len(s) <= 254 && !strings.ContainsAny(s, " ,;:<>()[]\"\\\t") && !strings.Contains(domain, "@")
}

// oneLine keeps what becomes a mail header on one line: a line break in a customer's name
// must not add headers.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return -1
		}
		return r
	}, s)
}
