// Package audit holds the chain that the shipped subscriber audit keeps against the log
// that it was made of. It shares no code with the subscriber: plugins/audit/README.md says
// what is hashed, and both follow that page.
//
// [Check] promises:
//   - An event whose data, headers, topic, key, id, source, content type or times are not
//     what the subscriber saw is named by its seq, also where whoever changed it put every
//     checksum of the log right.
//   - An event that was redacted is counted as redacted, and what stays of it is checked.
//   - An event that retention dropped is counted as left, and its place in the chain is checked.
//   - A row of the chain that was changed, taken out or put in breaks it there.
//
// It cannot see a log and a chain that were both made anew from some event on. A link that
// was kept elsewhere ([Options].Expect), or a checkpoint that the subscriber emitted and
// that is still in the log, shows that.
package audit
