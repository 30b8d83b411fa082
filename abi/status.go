package abi

import "strconv"

// Module is the import module of the host functions; its number is the major version.
const Module = "avx1"

// Names of a guest's exports.
const (
	ExportMarker     = "avx_abi_1"   // required, never called: says without running anything that this is a guest
	ExportRun        = "avx_run"     // required: one call a batch
	ExportInit       = "avx_init"    // optional: once per instance
	ExportMigrate    = "avx_migrate" // optional: state of an older version into the new keyspace
	ExportInitialize = "_initialize" // optional: set-up of the language's runtime
	ExportMemory     = "memory"      // required
)

// Status is what the host functions answer when they do not succeed: a negative number,
// the same meaning everywhere.
type Status int32

// The status codes.
const (
	NotFound    Status = -1
	Invalid     Status = -2
	TooLarge    Status = -3
	Denied      Status = -4
	Quota       Status = -5
	Conflict    Status = -6
	Unavailable Status = -7
	ReadOnly    Status = -8
	NoEvent     Status = -9
	Unsupported Status = -10
)

// String gives the name that the documentation and the logs use.
func (s Status) String() string {
	switch s {
	case NotFound:
		return "not found"
	case Invalid:
		return "invalid"
	case TooLarge:
		return "too large"
	case Denied:
		return "denied"
	case Quota:
		return "quota"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	case ReadOnly:
		return "read-only"
	case NoEvent:
		return "no current event"
	case Unsupported:
		return "unsupported"
	}
	return strconv.Itoa(int(s))
}

// FailCode is a guest's verdict on its current event, the first argument of fail.
type FailCode int32

// The verdicts. Codes from FailApplication on are the guest's own and count as FailReject.
const (
	FailRetry       FailCode = 1   // try again later, with the back-off of the manifest
	FailReject      FailCode = 2   // will never work: dead letter now
	FailSkip        FailCode = 3   // of no interest: acknowledged, nothing kept of it
	FailStop        FailCode = 4   // stop the subscriber at this event
	FailApplication FailCode = 100 // the first code that a guest may give a meaning of its own
)
