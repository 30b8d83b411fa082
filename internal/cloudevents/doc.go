// Package cloudevents translates between events and CloudEvents 1.0: the JSON format, one
// event or a batch, and the binary mode of the HTTP binding.
//
// # What it promises
//
//   - topic = type, key = subject, id, source, time and datacontenttype are the
//     attributes of the same meaning; every other attribute is a header. Parsing what
//     [AppendJSON] wrote gives the same event.
//   - JSON data passes through byte for byte.
//   - Errors name the attribute. Attribute names are checked (a-z and 0-9), text is UTF-8
//     without control characters, nesting is bounded.
//
// # What it does not
//
// It does not check topics, fill in what is missing or know limits of size beyond the
// names': the runtime does. XML, Protobuf and Avro are not spoken. The code is our own
// because the official SDK brings an archived JSON library.
package cloudevents
