package wire

import (
	"time"

	"github.com/avx-platform/avxrt/internal/rehearsal"
)

// Generation is one module that ran, or was refused, for a subscriber.
type Generation struct {
	Number       int       `json:"number"`
	Digest       string    `json:"digest"`
	Module       string    `json:"module"`
	Cause        string    `json:"cause"`
	Standing     string    `json:"standing"`
	Reason       string    `json:"reason,omitempty"`
	StateVersion uint32    `json:"state_version"`
	Seq          uint64    `json:"seq,omitempty"` // the cursor when it was offered
	Time         time.Time `json:"time"`
}

// Deployment is what became of a module that was to be deployed or brought back.
type Deployment struct {
	Subscriber string            `json:"subscriber"`
	Digest     string            `json:"digest"`
	File       string            `json:"file"` // on the node's machine
	Shared     []string          `json:"shared,omitempty"`
	Deployed   bool              `json:"deployed"`
	Generation int               `json:"generation"`
	OnTrial    bool              `json:"on_trial"`
	Move       string            `json:"state_change,omitempty"` // how its state comes to another version, which takes a while: migrate, rebuild or return
	Version    uint32            `json:"state_version"`          // that it has, or comes to
	Report     *rehearsal.Report `json:"report,omitempty"`
}

// Generations is the history of a subscriber, oldest first.
type Generations struct {
	Generations []Generation `json:"generations"`
}
