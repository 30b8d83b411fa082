// The conformance guest in AssemblyScript: what each topic must do is in ../doc.go.
import * as avx from "../../../sdk/assemblyscript/avx";
export { avx_abi_1, avx_run } from "../../../sdk/assemblyscript/avx";

avx.handle((ev) => {
  let t = ev.topic;
  if (t.is("t.echo")) {
    avx.draft("out.echo", ev.key).type(ev.contentType).data(ev.data).emit();
  } else if (t.is("t.fields")) {
    fields(ev);
  } else if (t.is("t.header")) {
    let probe = ev.header("probe");
    if (probe === null) avx.emit("out.absent", "", "");
    else avx.draft("out.header", "").header("first", "1").header("probe", probe).emit();
  } else if (t.is("t.json")) {
    json(ev);
  } else if (t.startsWith("t.state.")) {
    state(ev);
  } else if (t.startsWith("t.fail.")) {
    verdict(ev);
  } else if (t.startsWith("t.timer.")) {
    if (t.is("t.timer.start")) avx.timer(ev.key.toString(), ev.time + 3_600_000_000_000, "out.timer", ev.key, ev.data);
    else avx.cancel(ev.key.toString());
  } else {
    host(ev);
  }
});

avx.handleControl((ev) => {
  avx.emit("out.control", ev.topic, ev.data);
});

function fields(ev: avx.Event): void {
  let w = new avx.JSONWriter();
  w.object();
  w.key("seq").int(ev.seq).key("version").int(ev.version).key("time").int(ev.time).key("appended").int(ev.appended);
  w.key("attempt").int(ev.attempt).key("kind").int(ev.kind).key("flags").int(ev.flags);
  w.key("topic").string(ev.topic).key("key").string(ev.key).key("id").string(ev.id).key("source").string(ev.source);
  w.key("type").string(ev.contentType).key("data").int(ev.data.length);
  avx.emit("out.fields", "", w.end());
}

function state(ev: avx.Event): void {
  let t = ev.topic;
  if (t.is("t.state.set")) {
    avx.set(ev.key, ev.data);
  } else if (t.is("t.state.get")) {
    let v = avx.get(ev.key);
    if (v === null) avx.emit("out.absent", "", "");
    else avx.emit("out.get", "", v);
  } else if (t.is("t.state.del")) {
    avx.del(ev.key);
  } else if (t.is("t.state.add")) {
    avx.add(ev.key, ev.data.toInt());
    avx.emit("out.add", "", avx.getInt(ev.key).toString());
  } else if (t.is("t.state.scan")) {
    let b = new avx.Buf();
    for (let s = new avx.Scan(ev.data.toString()); s.next(); ) b.put(s.key).put("=").put(s.value).put("\n");
    avx.emit("out.scan", "", b);
  }
}

function verdict(ev: avx.Event): void {
  avx.emit("out.dropped", "", "");
  avx.set("dropped", "1");
  let t = ev.topic;
  if (t.is("t.fail.retry")) return avx.retry("because é");
  if (t.is("t.fail.reject")) return avx.reject("because é");
  if (t.is("t.fail.skip")) return avx.skip("because é");
  if (t.is("t.fail.stop")) return avx.stop("because é");
  if (t.is("t.fail.code")) return avx.fail(107, "because é");
  throw new Error("because");
}

function host(ev: avx.Event): void {
  let t = ev.topic;
  if (t.is("t.conf")) {
    let v = avx.conf(ev.data.toString());
    if (v === null) avx.emit("out.absent", "", "");
    else avx.emit("out.conf", "", v);
  } else if (t.is("t.log")) {
    for (let level = avx.Level.TRACE; level <= avx.Level.ERROR; level++) avx.log(level, ev.data);
  } else if (t.is("t.now")) {
    avx.emit("out.now", "", avx.now().toString());
  } else if (t.is("t.rand")) {
    avx.emit("out.rand", "", avx.rand(16));
  } else if (t.is("t.version")) {
    avx.draft("out.version", ev.key).expect(ev.version + 1).emit();
  } else if (t.is("t.conflict")) {
    if (avx.draft("out.conflict", ev.key).expect(ev.version + 1).emit())
      avx.draft("out.conflict", ev.key).expect(ev.version + <u64>ev.data.toInt()).emit();
  } else if (t.is("t.reply")) {
    avx.reply(ev.data);
  } else if (t.is("t.denied")) {
    let status = avx.draft("denied", "").stage();
    avx.emit("out.denied", "", status.toString());
  } else {
    avx.skip("unsupported");
  }
}

function json(ev: avx.Event): void {
  let j = new avx.JSONReader(ev.data), w = new avx.JSONWriter();
  let name = "", n: i64 = 0, cents: i64 = 0, yes = false, none = false, sum: i64 = 0, raw = new avx.Bytes();
  for (j.object(); j.key(); ) {
    if (j.is("name")) name = j.string();
    else if (j.is("n")) n = j.int();
    else if (j.is("cents")) cents = j.decimal(2);
    else if (j.is("yes")) yes = j.bool();
    else if (j.is("none")) none = j.null() ? true : !j.skip();
    else if (j.is("raw")) raw = j.raw();
    else if (j.is("list")) for (j.list(); j.item(); ) sum += j.int();
    else j.skip();
  }
  if (!j.end()) return avx.reject("malformed");
  w.object().key("name").string(name).key("n").int(n).key("cents").int(cents).key("price").decimal(cents, 2);
  w.key("yes").bool(yes).key("none").bool(none).key("list").list().int(sum).list().end().object().end().null().end();
  if (raw.length > 0) w.key("raw").raw(raw);
  avx.emit("out.json", "", w.end());
}
