//! The conformance guest in Rust: what each topic must do is in ../doc.go.
#![cfg_attr(target_arch = "wasm32", no_std, no_main)]
#[path = "../../../sdk/rust/avx.rs"]
mod avx;
use avx::{json, reject, Buf, Draft, Event, Outcome};

const HOUR: i64 = 3_600_000_000_000;
const WHY: &str = "because é";

type Space = Buf<16384>;

fn emit(topic: &[u8], data: &[u8]) -> Outcome { avx::emit(topic, b"", data) }

fn emit_int(topic: &[u8], v: i64) -> Outcome { emit(topic, Buf::<24>::new().put_int(v).bytes()) }

fn fields(ev: &Event) -> Outcome {
    let mut b = Space::new();
    let mut w = json::Writer::new(&mut b);
    w.object().key("seq").int(ev.seq as i64).key("version").int(ev.version as i64);
    w.key("time").int(ev.time).key("appended").int(ev.appended);
    w.key("attempt").int(ev.attempt as i64).key("kind").int(ev.kind as i64).key("flags").int(ev.flags as i64);
    w.key("topic").string(ev.topic).key("key").string(ev.key).key("id").string(ev.id).key("source").string(ev.source);
    w.key("type").string(ev.content_type).key("data").int(ev.data.len() as i64).end();
    emit(b"out.fields", b.bytes())
}

fn header(ev: &Event) -> Outcome {
    match ev.header("probe") {
        None => emit(b"out.absent", b""),
        Some(probe) => {
            let mut headers = Buf::<1024>::new();
            headers.put_header("first", b"1").put_header("probe", probe);
            Draft { topic: b"out.header", headers: headers.bytes(), ..Draft::default() }.emit()
        }
    }
}

/// The value of get and conf can have a MiB.
static mut SPACE: [u8; 1 << 20] = [0; 1 << 20];

fn space() -> &'static mut [u8] { unsafe { &mut *core::ptr::addr_of_mut!(SPACE) } }

fn state(ev: &Event) -> Outcome {
    match ev.topic {
        b"t.state.set" => avx::set(ev.key, ev.data),
        b"t.state.get" => match avx::get(ev.key, space())? {
            None => emit(b"out.absent", b""),
            Some(n) => emit(b"out.get", &space()[..n]),
        },
        b"t.state.del" => avx::del(ev.key),
        b"t.state.add" => {
            avx::add_int(ev.key, avx::parse_int(ev.data).unwrap_or(0))?;
            emit_int(b"out.add", avx::get_int(ev.key)?.unwrap_or(0))
        }
        _ => {
            let mut page = [0; 8192];
            let mut out = Space::new();
            let mut scan = avx::Scan::new(ev.data, &mut page);
            while let Some((key, value)) = scan.next()? {
                out.put(key).put(b"=").put(value).put(b"\n");
            }
            emit(b"out.scan", out.bytes())
        }
    }
}

fn verdict(ev: &Event) -> Outcome {
    emit(b"out.dropped", b"")?;
    avx::set(b"dropped", b"1")?;
    Err(match ev.topic {
        b"t.fail.retry" => avx::retry(WHY),
        b"t.fail.reject" => reject(WHY),
        b"t.fail.skip" => avx::skip(WHY),
        b"t.fail.stop" => avx::stop(WHY),
        b"t.fail.code" => avx::Fail { code: 107, why: WHY },
        _ => panic!("because"),
    })
}

fn json(ev: &Event) -> Outcome {
    let mut b = Space::new();
    match rewrite(ev.data, &mut b) {
        Ok(()) => emit(b"out.json", b.bytes()),
        Err(json::Malformed) => Err(reject("malformed")),
    }
}

fn rewrite(text: &[u8], out: &mut Space) -> Result<(), json::Malformed> {
    let mut j = json::Reader::new(text);
    let mut name = Buf::<8192>::new();
    let (mut n, mut cents, mut sum, mut yes, mut none, mut raw) = (0, 0, 0i64, false, false, &b""[..]);
    j.object()?;
    while let Some(key) = j.key()? {
        if key.is("name") {
            name.clear();
            j.string()?.text(&mut name);
        } else if key.is("n") {
            n = j.int()?;
        } else if key.is("cents") {
            cents = j.decimal(2)?;
        } else if key.is("yes") {
            yes = j.bool()?;
        } else if key.is("none") {
            none = j.null()?;
            if !none { j.skip()?; }
        } else if key.is("raw") {
            raw = j.skip()?;
        } else if key.is("list") {
            j.list()?;
            while j.item()? { sum = sum.wrapping_add(j.int()?); }
        } else {
            j.skip()?;
        }
    }
    j.end()?;
    let mut w = json::Writer::new(out);
    w.object().key("name").string(name.bytes()).key("n").int(n).key("cents").int(cents).key("price").decimal(cents, 2);
    w.key("yes").bool(yes).key("none").bool(none).key("list").list().int(sum).list().end().object().end().null().end();
    if !raw.is_empty() { w.key("raw").raw(raw); }
    w.end();
    Ok(())
}

fn host(ev: &Event) -> Outcome {
    match ev.topic {
        b"t.conf" => match avx::conf(core::str::from_utf8(ev.data).unwrap_or(""), space()) {
            None => emit(b"out.absent", b""),
            Some(n) => emit(b"out.conf", &space()[..n]),
        },
        b"t.log" => {
            for level in avx::TRACE..=avx::ERROR { avx::log_bytes(level, ev.data); }
            Ok(())
        }
        b"t.now" => emit_int(b"out.now", avx::now()),
        b"t.rand" => {
            let mut r = [0; 16];
            avx::rand(&mut r);
            emit(b"out.rand", &r)
        }
        b"t.version" => Draft { topic: b"out.version", key: ev.key, version: ev.version + 1, ..Draft::default() }.emit(),
        b"t.conflict" => {
            let second = avx::parse_int(ev.data).unwrap_or(0) as u64;
            for more in [1, second] {
                Draft { topic: b"out.conflict", key: ev.key, version: ev.version + more, ..Draft::default() }.emit()?;
            }
            Ok(())
        }
        b"t.reply" => avx::reply(ev.data),
        b"t.denied" => emit_int(b"out.denied", Draft { topic: b"denied", ..Draft::default() }.stage() as i64),
        b"t.timer.start" => avx::timer(ev.key, ev.time + HOUR, b"out.timer", ev.key, ev.data),
        b"t.timer.cancel" => avx::cancel(ev.key),
        _ => Err(avx::skip("unsupported")),
    }
}

fn handle(ev: &Event) -> Outcome {
    match ev.topic {
        b"t.echo" => Draft { topic: b"out.echo", key: ev.key, data: ev.data, content_type: ev.content_type, ..Draft::default() }.emit(),
        b"t.fields" => fields(ev),
        b"t.header" => header(ev),
        b"t.json" => json(ev),
        t if t.starts_with(b"t.state.") => state(ev),
        t if t.starts_with(b"t.fail.") => verdict(ev),
        _ => host(ev),
    }
}

fn control(ev: &Event) -> Outcome { avx::emit(b"out.control", ev.topic, ev.data) }

avx::subscriber!(handle, control);

/// The guest on the fake host, as an author tests a subscriber: `rustc --edition 2021 --test`.
#[cfg(test)]
mod tests {
    use super::{avx::fake::Fake, *};

    fn deliver(host: &mut Fake, topic: &[u8], key: &[u8], data: &[u8]) -> Outcome {
        host.deliver(handle, &Event { kind: 1, time: 7, topic, key, data, ..Event::default() })
    }

    #[test]
    fn emits_and_state() {
        let mut host = Fake::default();
        host.config.insert("greeting".into(), "hi".into());
        deliver(&mut host, b"t.echo", b"k", b"data").unwrap();
        assert_eq!((&host.emits[0].topic[..], &host.emits[0].key[..], &host.emits[0].data[..]), (&b"out.echo"[..], &b"k"[..], &b"data"[..]));
        for key in [&b"s/b"[..], b"s/a", b"t"] { deliver(&mut host, b"t.state.set", key, b"1").unwrap(); }
        deliver(&mut host, b"t.state.scan", b"", b"s/").unwrap();
        assert_eq!(host.emits[1].data, b"s/a=1\ns/b=1\n");
        deliver(&mut host, b"t.state.add", b"t", b"-5").unwrap();
        assert_eq!(host.text(b"t").unwrap(), "-4");
        deliver(&mut host, b"t.conf", b"", b"greeting").unwrap();
        assert_eq!(host.emits.last().unwrap().data, b"hi");
        deliver(&mut host, b"t.timer.start", b"name", b"d").unwrap();
        let timer = host.emits.last().unwrap();
        assert_eq!((&timer.timer[..], timer.time), (&b"name"[..], 7 + HOUR));
        deliver(&mut host, b"t.reply", b"", b"answer").unwrap();
        assert_eq!(host.reply.as_deref(), Some(&b"answer"[..]));
        deliver(&mut host, b"t.log", b"", b"line").unwrap();
        assert_eq!(host.logs[4], (avx::ERROR, "line".into()));
        host.deliver(control, &Event { kind: avx::KIND_CONTROL, topic: b"sys.gap", ..Event::default() }).unwrap();
        assert_eq!(host.emits.last().unwrap().topic, b"out.control");
    }

    #[test]
    fn what_a_failing_handler_staged_is_dropped() {
        let mut host = Fake::default();
        assert_eq!(deliver(&mut host, b"t.fail.retry", b"", b""), Err(avx::retry(WHY)));
        assert!(host.emits.is_empty() && host.state.is_empty());
    }

    #[test]
    fn json_is_read_and_written() {
        let mut host = Fake::default();
        deliver(&mut host, b"t.json", b"", br#"{"name":"\u00e9","cents":-0.5,"raw":[1]}"#).unwrap();
        let want = r#"{"name":"é","n":0,"cents":-50,"price":-0.50,"yes":false,"none":false,"list":[0,[],{},null],"raw":[1]}"#;
        assert_eq!(host.emits[0].data, want.as_bytes());
        assert_eq!(deliver(&mut host, b"t.json", b"", b"{"), Err(reject("malformed")));
    }

    #[test]
    fn floats() {
        for (text, want) in [("12.5", Ok(12.5)), ("-1e-3", Ok(-0.001)), ("x", Err(json::Malformed))] {
            assert_eq!(json::Reader::new(text.as_bytes()).float(), want);
        }
    }
}
