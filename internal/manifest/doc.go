// Package manifest turns avxrt.toml into a checked [Manifest].
//
// # What it promises
//
//   - Strictness: an unknown key, a wrong type or an impossible value is an error that
//     names line, column, key and remedy. All errors that can be told apart are reported
//     together. Nothing is guessed, nothing is ignored.
//   - Bounds: text over 256 KiB, nesting over 16 or keys with more than 16 dots are
//     refused before the TOML library sees them; it needs gigabytes for a hostile 40 KB.
//   - The environment sets every key outside of [[…]] tables: AVXRT_HTTP_LISTEN stands
//     for http.listen and wins over the file. CheckEnviron refuses variables that look like
//     one of these and are none.
//   - Paths in a Manifest are absolute: those of the file were relative to the file's
//     folder, those of the environment to the working directory.
//
// # What it does not
//
// It opens no module and knows nothing of what runs. Keys that the design names but this
// version lacks are refused with that reason, so that nobody relies on them silently.
package manifest
