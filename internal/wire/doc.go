// Package wire has the JSON bodies of a node's HTTP interface: its server writes them, its client reads them, and
// the command line prints some as they are with -o json.
//
// It promises that both sides have the same names and types, that times are RFC 3339 in UTC, and that a field is
// only ever added. It holds no behaviour, and nothing of the runtime's own types.
package wire
