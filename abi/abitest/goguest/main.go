// Command goguest is the conformance guest in Go: what each topic must do is in package
// abitest.
package main

import (
	"strconv"
	"strings"

	avx "github.com/avx-platform/avxrt/sdk/go"
)

func init() {
	avx.Handle(handle)
	avx.HandleControl(func(ev *avx.Event) error { return avx.Emit("out.control", ev.Topic, ev.Data) })
}

func main() {}

const (
	hour = 3_600_000_000_000
	why  = "because é"
)

func handle(ev *avx.Event) error {
	switch {
	case ev.Topic == "t.echo":
		return avx.EmitAs("out.echo", ev.Key, ev.ContentType, ev.Data)
	case ev.Topic == "t.fields":
		return fields(ev)
	case ev.Topic == "t.header":
		return header(ev)
	case ev.Topic == "t.json":
		return json(ev)
	case strings.HasPrefix(ev.Topic, "t.state."):
		return state(ev)
	case strings.HasPrefix(ev.Topic, "t.fail."):
		return verdict(ev)
	}
	return host(ev)
}

func emit(topic string, data []byte) error { return avx.Emit(topic, "", data) }

func fields(ev *avx.Event) error {
	var w avx.JSONWriter
	w.Object().Key("seq").Int(int64(ev.Seq)).Key("version").Int(int64(ev.Version)).Key("time").Int(ev.Time)
	w.Key("appended").Int(ev.Appended).Key("attempt").Int(int64(ev.Attempt)).Key("kind").Int(int64(ev.Kind)).Key("flags").Int(int64(ev.Flags))
	w.Key("topic").String(ev.Topic).Key("key").String(ev.Key).Key("id").String(ev.ID).Key("source").String(ev.Source)
	w.Key("type").String(ev.ContentType).Key("data").Int(int64(len(ev.Data))).End()
	return emit("out.fields", w.Bytes())
}

func header(ev *avx.Event) error {
	probe, ok := ev.Header("probe")
	if !ok {
		return emit("out.absent", nil)
	}
	headers := avx.AppendHeader(avx.AppendHeader(nil, "first", "1"), "probe", probe)
	return avx.Draft{Topic: "out.header", Headers: headers}.Emit()
}

func state(ev *avx.Event) error {
	switch ev.Topic {
	case "t.state.set":
		return avx.Set(ev.Key, ev.Data)
	case "t.state.get":
		value, ok := avx.Get(ev.Key)
		if !ok {
			return emit("out.absent", nil)
		}
		return emit("out.get", value)
	case "t.state.del":
		return avx.Delete(ev.Key)
	case "t.state.add":
		delta, _ := strconv.ParseInt(string(ev.Data), 10, 64)
		if err := avx.Add(ev.Key, delta); err != nil {
			return err
		}
		return emit("out.add", strconv.AppendInt(nil, avx.GetInt(ev.Key), 10))
	}
	var out []byte
	err := avx.Scan(string(ev.Data), func(key string, value []byte) bool {
		out = append(append(append(append(out, key...), '='), value...), '\n')
		return true
	})
	if err != nil {
		return err
	}
	return emit("out.scan", out)
}

func verdict(ev *avx.Event) error {
	if err := emit("out.dropped", nil); err != nil {
		return err
	}
	if err := avx.Set("dropped", []byte("1")); err != nil {
		return err
	}
	switch ev.Topic {
	case "t.fail.retry":
		return avx.Retry(why)
	case "t.fail.reject":
		return avx.Reject(why)
	case "t.fail.skip":
		return avx.Skip(why)
	case "t.fail.stop":
		return avx.Stop(why)
	case "t.fail.code":
		return &avx.Failure{Code: 107, Reason: why}
	}
	var none []int
	return avx.SetInt("trap", int64(none[len(ev.Data)])) // out of range
}

func json(ev *avx.Event) error {
	var name string
	var n, cents, sum int64
	var yes, none bool
	var raw []byte
	j := avx.ReadJSON(ev.Data)
	for j.Object(); j.Key(); {
		switch {
		case j.Is("name"):
			name = string(j.String().Append(nil))
		case j.Is("n"):
			n = j.Int()
		case j.Is("cents"):
			cents = j.Decimal(2)
		case j.Is("yes"):
			yes = j.Bool()
		case j.Is("none"):
			if none = j.Null(); !none {
				j.Skip()
			}
		case j.Is("raw"):
			raw = j.Skip()
		case j.Is("list"):
			for j.List(); j.Item(); {
				sum += j.Int()
			}
		default:
			j.Skip()
		}
	}
	if j.End() != nil {
		return avx.Reject("malformed")
	}
	var w avx.JSONWriter
	w.Object().Key("name").String(name).Key("n").Int(n).Key("cents").Int(cents).Key("price").Decimal(cents, 2)
	w.Key("yes").Bool(yes).Key("none").Bool(none).Key("list").List().Int(sum).List().End().Object().End().Null().End()
	if raw != nil {
		w.Key("raw").Raw(raw)
	}
	return emit("out.json", w.End().Bytes())
}

func host(ev *avx.Event) error {
	switch ev.Topic {
	case "t.conf":
		value, ok := avx.Conf(string(ev.Data))
		if !ok {
			return emit("out.absent", nil)
		}
		return emit("out.conf", []byte(value))
	case "t.log":
		for level := int32(avx.Trace); level <= avx.Error; level++ {
			avx.Log(level, string(ev.Data))
		}
		return nil
	case "t.now":
		return emit("out.now", strconv.AppendInt(nil, avx.Now(), 10))
	case "t.rand":
		var r [16]byte
		avx.Rand(r[:])
		return emit("out.rand", r[:])
	case "t.version":
		return avx.Draft{Topic: "out.version", Key: ev.Key, Version: ev.Version + 1}.Emit()
	case "t.conflict":
		second, _ := strconv.ParseUint(string(ev.Data), 10, 64)
		for _, more := range []uint64{1, second} {
			if err := (avx.Draft{Topic: "out.conflict", Key: ev.Key, Version: ev.Version + more}).Emit(); err != nil {
				return err
			}
		}
		return nil
	case "t.reply":
		return avx.Reply(ev.Data)
	case "t.denied":
		status, _ := emit("denied", nil).(avx.Status)
		return emit("out.denied", strconv.AppendInt(nil, int64(status), 10))
	case "t.timer.start":
		return avx.Timer(ev.Key, ev.Time+hour, "out.timer", ev.Key, ev.Data)
	case "t.timer.cancel":
		return avx.Cancel(ev.Key)
	}
	return avx.Skip("unsupported")
}
