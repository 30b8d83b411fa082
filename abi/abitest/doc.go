// Package abitest is the conformance kit: one suite of cases that a guest must pass on both
// engines, whatever language it is written in. The SDKs of this repository pass it, each with
// the guest in guests that is written with it, and so does raw.wat, which uses none.
//
// # How to test another SDK
//
// Write a guest that does the following with it, build it, and give its absolute path:
//
//	go test ./abi/abitest -run Conformance -guest "$PWD/conform.wasm" -v
//
// What an SDK does not have yet the guest skips (fail 3) with the reason "unsupported": those
// cases are listed, and the rest is held to the full. guests/conform.c is the shortest model.
//
// # What the guest does, by topic
//
// Emits have no key and no data unless it is said. Numbers in data are decimal text.
//
//	t.echo           emits out.echo with the event's key, content type and data
//	t.fields         emits out.fields: {"seq":…,"version":…,"time":…,"appended":…,"attempt":…,"kind":…,
//	                 "flags":…,"topic":…,"key":…,"id":…,"source":…,"type":…,"data":<length>}
//	t.header         emits out.header with the headers first=1 and probe=<the event's header probe>;
//	                 out.absent if the event has none
//	t.state.set      writes the event's data to the key of the state that is the event's key
//	t.state.get      emits out.get with the value of that key, or out.absent
//	t.state.del      removes that key
//	t.state.add      adds the number in the data to the number of that key, and emits out.add with the
//	                 sum; where it needs more than 64 bits the event is rejected
//	t.state.scan     emits out.scan with key=value and a line feed for each key that begins with the data
//	t.fail.retry     emits out.dropped, sets the key dropped, and fails the event with code 1 and the
//	                 reason "because é"; likewise .reject (2), .skip (3), .stop (4), .code (107)
//	t.fail.trap      the same, and traps, with whatever its language does
//	t.conf           emits out.conf with the config's value of the name in the data, or out.absent
//	t.log            writes the data to the log, once on each level from 0 to 4
//	t.now, t.rand    emit out.now with the time, out.rand with 16 random bytes
//	t.version        emits out.version with the event's key, expecting the event's version and one more
//	t.conflict       emits out.conflict with the event's key twice: expecting the event's version and one
//	                 more, then the event's version and the number in the data. What the host refuses
//	                 becomes the verdict that the SDK has for it: a conflict is tried again
//	t.reply          replies the event's data
//	t.denied         emits on denied, and then out.denied with the status that this was answered with
//	t.timer.start    sets the timer that the key names, an hour after the event's time, for the topic
//	                 out.timer with the event's key and data
//	t.timer.cancel   cancels the timer that the key names
//	t.json           reads an object and emits out.json, or rejects the event with "malformed"; see below
//	kind 6           (a control frame, whatever its topic) emits out.control with the topic as its key,
//	                 and the data
//	anything else    skips the event as "unsupported"
//
// Of an object, t.json takes the string name, the integer n, cents as a decimal number times 100,
// the boolean yes, whether none is null (any other value is stepped over), the sum of the integers
// in list, and raw as it stands. Other keys are stepped over, and absent ones are zero. It gives
//
//	{"name":…,"n":…,"cents":…,"price":<cents as 0.00>,"yes":…,"none":…,"list":[<sum>,[],{},null],"raw":…}
//
// without raw if there was none. Malformed is what is not JSON, a value of another kind, a number
// that needs more than 64 bits, cents with an exponent or more than two digits behind the point
// that are not 0, and what is nested more than 63 deep.
//
// # What it does not
//
// It has no code outside of its tests. It cannot see what an SDK costs; bench does.
package abitest
