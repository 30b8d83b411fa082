// notification: tells people about events, by rules, not more often than they can bear.
// README.md says how it is configured and what it keeps.
import * as avx from "../../sdk/assemblyscript/avx";
export { avx_abi_1, avx_run } from "../../sdk/assemblyscript/avx";
import * as rule from "./rule";
import { Rule } from "./rule";

const DIGEST = "notification.digest";
const MAX_TO = 120; // bytes: it becomes part of a timer's name, which holds 255
const MAX_DATA = 64 << 10; // bytes: each {name} makes garbage of the order of the data, which one event must bear
const MAX_VALUE = 4096; // bytes of what is put in for a {name}

avx.handle((ev) => {
  let rules = rule.all();
  if (rule.problem != "") return avx.stop(rule.problem);
  if (ev.topic.is(DIGEST)) return due(ev, rules);
  for (let i = 0; i < rules.length; i++) {
    if (rule.matches(rules[i].topic, ev.topic) && !apply(rules[i], ev)) return;
  }
});

/** Applies a rule to an event of its topic; false where the event has failed. */
function apply(r: Rule, ev: avx.Event): bool {
  if (ev.data.length > MAX_DATA) return refuse("the data is over 64 KiB: nobody is told of that");
  let j = new avx.JSONReader(ev.data);
  j.skip();
  if (!j.end()) return refuse("the data is not JSON");
  if (r.field != "" && !holds(r, value(ev, r.field))) return true;
  let to = fill(r.to, ev);
  if (!isRecipient(to)) return refuse("to: comes out empty, over 120 bytes or with control characters");
  if (r.most == 0) return send(r, ev, to, fill(r.text, ev));
  return throttled(r, ev, to);
}

function refuse(why: string): bool {
  avx.reject(why);
  return false;
}

function holds(r: Rule, v: string): bool {
  if (r.operator == "=") return v == r.value;
  if (r.operator == "!=") return v != r.value;
  let none = i64.MIN_VALUE;
  let a = avx.Bytes.from(v).toInt(none), b = avx.Bytes.from(r.value).toInt(none);
  if (a == none || b == none) return false;
  return r.operator == ">=" ? a >= b : a <= b;
}

/** Whether it can be part of a timer's name: whole characters, and none of control. */
function isRecipient(to: string): bool {
  for (let i = 0; i < to.length; i++) {
    let c = to.codePointAt(i);
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000)) return false;
    if (c > 0xffff) i++; // it takes two places
  }
  return to.length > 0 && String.UTF8.byteLength(to) <= MAX_TO;
}

// ---- sending -------------------------------------------------------------------------

function send(r: Rule, ev: avx.Event, to: string, text: string): bool {
  let w = new avx.JSONWriter();
  w.object().key("to").string(to).key("text").string(text).key("rule").string(r.name).end();
  let status = avx.draft(r.effect(), ev.key).data(w).stage();
  if (status == avx.Status.DENIED) {
    avx.stop("an emit was denied: grant " + r.effect() + " in the manifest's emits");
    return false;
  }
  if (status < 0) return refuse("the message was refused by the host: " + status.toString());
  return count(r, "sent");
}

function count(r: Rule, outcome: string): bool {
  return avx.add('metric/notifications_total{outcome="' + outcome + '",rule="' + r.name + '"}', 1);
}

/** How a recipient's window stands. */
class Window {
  start: i64 = 0;
  sent: i64 = 0;
  held: i64 = 0;

  constructor(public key: string) {
    let v = avx.getString(key);
    let parts: string[] = v === null ? [] : v.split(" ");
    if (parts.length == 3) {
      this.start = avx.Bytes.from(parts[0]).toInt();
      this.sent = avx.Bytes.from(parts[1]).toInt();
      this.held = avx.Bytes.from(parts[2]).toInt();
    }
  }

  keep(): bool {
    return avx.set(this.key, this.start.toString() + " " + this.sent.toString() + " " + this.held.toString());
  }
}

/**
 * Sends a message, or holds it back where the window of its recipient is full. A window
 * begins with the first message after the one before it has ended.
 */
function throttled(r: Rule, ev: avx.Event, to: string): bool {
  let name = r.name + "/" + to;
  let w = new Window("window/" + name);
  if (w.start == 0 || ev.time >= w.start + r.window) {
    if (w.held > 0 && r.digest && !(digest(r, ev, to, w) && avx.cancel("digest/" + name))) return false;
    w.start = ev.time;
    w.sent = 0;
    w.held = 0;
  }
  if (w.sent < r.most) {
    w.sent++;
    return w.keep() && send(r, ev, to, fill(r.text, ev));
  }
  w.held++;
  if (!w.keep() || !count(r, "held")) return false;
  if (!r.digest || w.held > 1) return true;
  let data = new avx.JSONWriter();
  data.object().key("rule").string(r.name).key("to").string(to).key("start").int(w.start).end();
  let d = avx.draft(DIGEST, ev.key).header("timer", "digest/" + name).at(w.start + r.window);
  let status = d.data(data).stage();
  if (status < 0) avx.stop("the timer of a digest was refused: grant " + DIGEST + " in the manifest's emits, and put it among topics");
  return status >= 0;
}

/** Says how much was held back. */
function digest(r: Rule, ev: avx.Event, to: string, w: Window): bool {
  return count(r, "digest") && send(r, ev, to, w.held.toString() + " more about " + r.name);
}

/** A window with messages held back has ended: its timer is due. */
function due(ev: avx.Event, rules: Rule[]): void {
  if (ev.kind != avx.Kind.TIMER) return avx.reject("a digest that is no timer of this subscriber");
  let j = new avx.JSONReader(ev.data), name = "", to = "", start: i64 = 0;
  for (j.object(); j.key(); ) {
    if (j.is("rule")) name = j.string();
    else if (j.is("to")) to = j.string();
    else if (j.is("start")) start = j.int();
    else j.skip();
  }
  if (!j.end()) return avx.reject("a digest that notification cannot read");
  for (let i = 0; i < rules.length; i++) {
    let r = rules[i];
    if (r.name != name) continue;
    let w = new Window("window/" + name + "/" + to);
    if (w.start == start && w.held > 0 && digest(r, ev, to, w)) avx.del(w.key);
    return;
  }
}

// ---- templates -----------------------------------------------------------------------

/** Puts values in the place of {names}. What is put in is not searched again. */
function fill(template: string, ev: avx.Event): string {
  let out = "", at = 0;
  while (true) {
    let open = template.indexOf("{", at), close = open < 0 ? -1 : template.indexOf("}", open);
    if (close < 0) return out + template.substring(at);
    out += template.substring(at, open) + value(ev, template.substring(open + 1, close));
    at = close + 1;
  }
}

/** An attribute of the event, or a field of its data; what is not there is empty. */
function value(ev: avx.Event, name: string): string {
  if (name == "topic") return ev.topic.toString();
  if (name == "key") return ev.key.toString();
  if (name == "id") return ev.id.toString();
  if (name == "seq") return ev.seq.toString();
  let path = name.split("."), at = ev.data;
  for (let i = 0; i < path.length; i++) at = field(at, path[i]);
  let j = new avx.JSONReader(at);
  if (at.length == 0 || j.null()) return "";
  if (at.length > MAX_VALUE) return "(too long)";
  return at[0] == 0x22 ? j.string() : at.toString();
}

/** The last field of that name of an object, empty if there is none. */
function field(text: avx.Bytes, name: string): avx.Bytes {
  let j = new avx.JSONReader(text), found = new avx.Bytes();
  for (j.object(); j.key(); ) {
    if (j.is(name)) found = j.raw();
    else j.skip();
  }
  return found;
}
