package abitest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

// given is one event of the suite and what must become of it, in the words of render.
type given struct {
	name string
	ev   abi.Event
	want string
}

const (
	noon  = int64(1_767_268_800_000_000_000) // 2026-01-01 12:00 UTC
	mebi  = 1 << 20
	plain = "" // the content type of JSON
)

// suite is the whole of it, in order: the state goes on from case to case.
func suite() []given {
	var all []given
	for _, part := range [][]given{frames(), fieldCases(), stateCases(), scanCases(), verdicts(), hostCases(), timers(), jsonCases(), last()} {
		all = append(all, part...)
	}
	for i := range all {
		if all[i].ev.Time == 0 {
			all[i].ev.Time = noon
		}
	}
	return all
}

func on(topic, key, data string) abi.Event {
	return abi.Event{Topic: topic, Key: key, Data: []byte(data)}
}

func handled(parts ...string) string {
	return strings.Join(append([]string{"handled"}, parts...), " | ")
}

func emitted(topic, data string) string { return "emit " + topic + " " + quote([]byte(data)) }

// frames are events of every size, and of every kind of bytes.
func frames() []given {
	var all []given
	echo := func(name, key, contentType string, data []byte) {
		want := "emit out.echo"
		if key != "" {
			want += " key=" + quote([]byte(key))
		}
		if contentType != plain {
			want += " type=" + contentType
		}
		ev := abi.Event{Topic: "t.echo", Key: key, ContentType: contentType, Data: data}
		all = append(all, given{"echo/" + name, ev, handled(want + " " + quote(data))})
	}
	echo("empty", "", plain, nil)
	echo("text", "order-7", plain, []byte(`{"a":1}`))
	echo("unicode", "клю́ч-键-🔑", "text/plain; charset=utf-8", []byte("Grüße, 世界 🌍"))
	echo("long key", strings.Repeat("k", abi.MaxKeyBytes), strings.Repeat("t", abi.MaxKeyBytes), []byte("x"))
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	echo("binary", "\u202ebin\ufffd\U0010ffff", "application/octet-stream", every)
	for _, n := range []int{1, 2, 3, 7, 8, 9, 1000, 4095, 4096, 8000, 8192, 65_000, 65_536, 70_000, 300_000, mebi, 10} {
		echo(fmt.Sprint(n, " bytes"), "k", plain, bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n])
	}
	return all
}

func fieldCases() []given {
	full := abi.Event{
		Topic: "t.fields", Key: "k\"\\é", ID: "id\n\x01🙂", Source: "/s\x7f", ContentType: "a/b", Data: []byte("123"),
		Seq: 1 << 40, Version: 9, Time: -5, Appended: 1<<62 + 1, Attempt: 3, Kind: abi.KindEvent, Flags: abi.FlagShadow | abi.FlagRedelivered,
	}
	timer := full
	timer.Kind, timer.Seq = abi.KindTimer, 1<<40+1
	large := on("t.fields", "", string(make([]byte, 4*mebi)))
	large.ID, large.Source, large.Appended = "i", "s", 1
	const text = `{"seq":%d,"version":9,"time":-5,"appended":4611686018427387905,"attempt":3,"kind":%d,"flags":6,"topic":"t.fields",` +
		`"key":"k\"\\é","id":"id\n\u0001🙂","source":"/s` + "\x7f" + `","type":"a/b","data":3}`
	header := on("t.header", "", "")
	header.Headers, _ = header.Headers.Append("prob", "no")
	header.Headers, _ = header.Headers.Append("probe", "wärt=1")
	header.Headers, _ = header.Headers.Append("probe", "second")
	return []given{
		{"fields/all", full, handled(emitted("out.fields", fmt.Sprintf(text, 1<<40, 1)))},
		{"fields/timer", timer, handled(emitted("out.fields", fmt.Sprintf(text, 1<<40+1, 4)))},
		{"fields/4 MiB", large, handled(emitted("out.fields", fmt.Sprintf(`{"seq":%d,"version":0,"time":%d,"appended":1,"attempt":1,"kind":1,`+
			`"flags":0,"topic":"t.fields","key":"","id":"i","source":"s","type":"","data":4194304}`, 1<<40+2, noon)))},
		{"header/there", header, handled("emit out.header first=1 probe=wärt=1 \"\"")},
		{"header/absent", on("t.header", "", ""), handled(emitted("out.absent", ""))},
	}
}

func stateCases() []given {
	value := strings.Repeat("v", mebi)
	const most, least = "9223372036854775807", "-9223372036854775808"
	return []given{
		{"state/absent", on("t.state.get", "a", ""), handled(emitted("out.absent", ""))},
		{"state/set", on("t.state.set", "a", "1\x00\xff"), handled("set a=" + quote([]byte("1\x00\xff")))},
		{"state/get", on("t.state.get", "a", ""), handled(emitted("out.get", "1\x00\xff"))},
		{"state/empty", on("t.state.set", "a", ""), handled(`set a=""`)},
		{"state/get empty", on("t.state.get", "a", ""), handled(emitted("out.get", ""))},
		{"state/del", on("t.state.del", "a", ""), handled("del a")},
		{"state/get deleted", on("t.state.get", "a", ""), handled(emitted("out.absent", ""))},
		{"state/1 MiB", on("t.state.set", "ключ", value), handled("set ключ=" + quote([]byte(value)))},
		{"state/get 1 MiB", on("t.state.get", "ключ", ""), handled(emitted("out.get", value))},
		{"state/del 1 MiB", on("t.state.del", "ключ", ""), handled("del ключ")},
		{"state/add", on("t.state.add", "n", "-5"), handled(emitted("out.add", "-5"), `set n="-5"`)},
		{"state/add again", on("t.state.add", "n", "12"), handled(emitted("out.add", "7"), `set n="7"`)},
		{"state/add most", on("t.state.add", "m", most), handled(emitted("out.add", most), `set m="`+most+`"`)},
		{"state/add too much", on("t.state.add", "m", "1"), "reject (a total beyond 64 bits)"},
		{"state/add least", on("t.state.add", "l", least), handled(emitted("out.add", least), `set l="`+least+`"`)},
		{"state/add too little", on("t.state.add", "l", "-1"), "reject (a total beyond 64 bits)"},
	}
}

// scanCases write more than a page, and a value that is larger than one.
func scanCases() []given {
	all := []given{{"scan/none", on("t.state.scan", "", "s/"), handled(emitted("out.scan", ""))}}
	var want strings.Builder
	put := func(key, value string) {
		all = append(all, given{"scan/set " + key, on("t.state.set", key, value), handled("set " + key + "=" + quote([]byte(value)))})
		if strings.HasPrefix(key, "s/") {
			want.WriteString(key + "=" + value + "\n")
		}
	}
	put("s", "before")
	for i := range 60 {
		put(fmt.Sprintf("s/%02d", i), strings.Repeat("x", 100))
	}
	put("s/large", strings.Repeat("y", 5000))
	put("s/wört", "")
	put("t/", "behind")
	return append(all, given{"scan/all", on("t.state.scan", "", "s/"), handled(emitted("out.scan", want.String()))},
		given{"scan/one", on("t.state.scan", "", "s/07"), handled(emitted("out.scan", "s/07="+strings.Repeat("x", 100)+"\n"))})
}

func verdicts() []given {
	return []given{
		{"fail/retry", on("t.fail.retry", "", ""), "retry (because é)"},
		{"fail/reject", on("t.fail.reject", "", ""), "reject (because é)"},
		{"fail/skip", on("t.fail.skip", "", ""), "skip (because é)"},
		{"fail/stop", on("t.fail.stop", "", ""), "stop (because é)"},
		{"fail/code", on("t.fail.code", "", ""), "reject 107 (because é)"},
		{"fail/trap", on("t.fail.trap", "", ""), "trap"},
		{"fail/nothing kept", on("t.state.get", "dropped", ""), handled(emitted("out.absent", ""))},
	}
}

func hostCases() []given {
	version := on("t.version", "k", "")
	version.Version = 7
	conflict := func(second string) abi.Event {
		ev := on("t.conflict", "k", second)
		ev.Version = 7
		return ev
	}
	random := on("t.rand", "", "")
	random.Seq = 1 << 41
	control := abi.Event{Topic: "sys.gap", Kind: abi.KindControl, Data: []byte(`{"from":1,"to":2}`)}
	return []given{
		{"conf/there", on("t.conf", "", "greeting"), handled(emitted("out.conf", "hällo"))},
		{"conf/empty", on("t.conf", "", "nothing"), handled(emitted("out.conf", ""))},
		{"conf/long", on("t.conf", "", "long"), handled(emitted("out.conf", strings.Repeat("ü", 5000)))},
		{"conf/absent", on("t.conf", "", "other"), handled(emitted("out.absent", ""))},
		{"conf/version", on("t.conf", "", "avx.abi"), handled(emitted("out.conf", "1.0"))},
		{"log", on("t.log", "", "Zeile ö"), handled("log 0 Zeile ö", "log 1 Zeile ö", "log 2 Zeile ö", "log 3 Zeile ö", "log 4 Zeile ö")},
		{"now", on("t.now", "", ""), handled(emitted("out.now", fmt.Sprint(noon)))},
		{"rand", random, handled("emit out.rand " + quote(randomOf(random.Seq)))},
		{"version", version, handled(`emit out.version key="k" version=8 ""`)},
		{"conflict/none", conflict("2"), handled(`emit out.conflict key="k" version=8 ""`, `emit out.conflict key="k" version=9 ""`)},
		{"conflict/again", conflict("1"), "retry (version conflict)"},
		{"conflict/too far", conflict("3"), "retry (version conflict)"},
		{"reply", on("t.reply", "", "антwort"), handled(`reply "антwort"`)},
		{"reply/1 MiB", on("t.reply", "", strings.Repeat("r", mebi)), handled("reply " + quote(bytes.Repeat([]byte("r"), mebi)))},
		{"denied", on("t.denied", "", ""), handled(emitted("out.denied", "-4"))},
		{"control", control, handled(`emit out.control key="sys.gap" ` + quote(control.Data))},
	}
}

// randomOf is what the contract says of rand: a stream seeded by subscriber and seq.
func randomOf(seq abi.Seq) []byte {
	b := make([]byte, 16)
	seed := binary.BigEndian.AppendUint64([]byte("trial\x00"), uint64(seq))
	_, _ = rand.NewChaCha8(sha256.Sum256(seed)).Read(b)
	return b
}

func timers() []given {
	return []given{
		{"timer/set", on("t.timer.start", "tïmer", "d"), handled(`emit out.timer key="tïmer" timer="tïmer" in 1h0m0s "d"`)},
		{"timer/cancel", on("t.timer.cancel", "tïmer", ""), handled(`cancel "tïmer"`)},
	}
}

// last is an event that no guest has room for, and one behind it.
func last() []given {
	large := on("t.fields", "", string(make([]byte, 15*mebi)))
	return []given{
		{"larger than the memory", large, "lost"},
		{"behind it", on("t.state.get", "t/", ""), handled(emitted("out.get", "behind"))},
	}
}
