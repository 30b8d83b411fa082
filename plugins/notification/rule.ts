// What the config says, read once an instance: it does not change while a generation serves.
import * as avx from "../../sdk/assemblyscript/avx";

/** One rule: which events, to whom, by what, what it says, and how often. */
export class Rule {
  topic: string = "";
  channel: string = "";
  to: string = "";
  text: string = "";
  field: string = ""; // of the condition; empty: none
  operator: string = "";
  value: string = "";
  most: i64 = 0; // messages to one recipient in a window; 0: no throttle
  window: i64 = 0; // nanoseconds
  digest: bool = false;

  constructor(public name: string) {}

  effect(): string {
    return "$effect." + this.channel + ".send";
  }
}

/** Why the config cannot be read; empty if it can. */
export let problem: string = "";
let rules: Rule[] = [];
let known: bool = false;

/** The rules of the config. */
export function all(): Rule[] {
  if (known) return rules;
  known = true;
  let names = avx.conf("rules");
  if (names === null) {
    problem = "config rules: missing: name your rules, with commas between";
    return rules;
  }
  let list = names.split(",");
  if (list.length > 16) problem = "config rules: more than 16";
  for (let i = 0; i < list.length && problem == ""; i++) {
    let r = new Rule(list[i].trim());
    problem = read(r);
    rules.push(r);
  }
  return rules;
}

function part(r: Rule, name: string): string {
  let v = avx.conf(r.name + "." + name);
  return v === null ? "" : v;
}

/** Reads the parts of a rule and says what is wrong with them. */
function read(r: Rule): string {
  r.topic = part(r, "topic");
  r.channel = part(r, "channel");
  r.to = part(r, "to");
  r.text = part(r, "text");
  r.digest = part(r, "digest") == "true";
  if (!plain(r.name)) return "config rules: a name is not made of a-z, 0-9, - and _";
  if (r.topic == "" || r.to == "" || r.text == "") return "config: rule " + r.name + " wants topic, channel, to and text";
  if (!plain(r.channel)) return "config: the channel of rule " + r.name + " is not made of a-z, 0-9, - and _";
  return condition(r, part(r, "when")) && throttle(r, part(r, "throttle")) ? "" :
    "config: rule " + r.name + ": when is FIELD=VALUE with = != >= or <=, throttle is a number, a slash and a duration: 3/1h";
}

function plain(s: string): bool {
  for (let i = 0; i < s.length; i++) {
    let c = s.charCodeAt(i);
    if (!((c >= 0x61 && c <= 0x7a) || (c >= 0x30 && c <= 0x39) || c == 0x2d || c == 0x5f)) return false;
  }
  return s.length > 0 && s.length <= 64;
}

function condition(r: Rule, when: string): bool {
  if (when == "") return true;
  let at = when.indexOf("=");
  if (at < 1) return false;
  let before = when.charCodeAt(at - 1);
  let two = before == 0x21 || before == 0x3e || before == 0x3c; // ! > <
  r.field = when.substring(0, two ? at - 1 : at);
  r.operator = when.substring(two ? at - 1 : at, at + 1);
  r.value = when.substring(at + 1);
  return r.field != "";
}

function throttle(r: Rule, text: string): bool {
  if (text == "") return !r.digest;
  let parts = text.split("/");
  if (parts.length != 2 || parts[1].length < 2) return false;
  let unit = parts[1].charCodeAt(parts[1].length - 1);
  let seconds: i64 = unit == 0x73 ? 1 : unit == 0x6d ? 60 : unit == 0x68 ? 3600 : unit == 0x64 ? 86_400 : 0; // s m h d
  let n = avx.Bytes.from(parts[1].substring(0, parts[1].length - 1)).toInt(0);
  r.most = avx.Bytes.from(parts[0]).toInt(0);
  r.window = n * seconds * 1_000_000_000;
  return seconds > 0 && n > 0 && n <= 100_000 && r.most > 0 && r.most <= 1_000_000;
}

/** Whether a topic matches a pattern of the router: * is one segment, ** at the end one or more. */
export function matches(pattern: string, topic: avx.Bytes): bool {
  if (topic.is(pattern)) return true;
  if (pattern.indexOf("*") < 0) return false;
  let p = pattern.split("."), t = topic.toString().split(".");
  for (let i = 0; i < p.length; i++) {
    if (p[i] == "**") return t.length > i;
    if (i >= t.length || (p[i] != "*" && p[i] != t[i])) return false;
  }
  return p.length == t.length;
}
