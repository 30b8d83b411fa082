package wire

import (
	"encoding/json"
)

// Receipt is what is answered for one event.
type Receipt struct {
	ID         string `json:"id"`
	Seq        uint64 `json:"seq"`
	Version    uint64 `json:"version,omitempty"`
	Durability string `json:"durability"`
	Duplicate  bool   `json:"duplicate"`
}

// Stream is the stream of one key.
type Stream struct {
	Key             string            `json:"key"`
	Version         uint64            `json:"version"`
	TruncatedBefore uint64            `json:"truncated_before"`
	Closed          bool              `json:"closed"`
	Events          []json.RawMessage `json:"events"` // CloudEvents in JSON
}

// Redaction is what became of a redaction.
type Redaction struct {
	Seq        uint64   `json:"seq"`
	Found      bool     `json:"found"`
	Copies     int      `json:"copies"`
	NotReached []string `json:"not_reached"`
}

// Published is the answer to a publish.
type Published struct {
	Events []Receipt `json:"events"`
	Boot   uint64    `json:"boot,omitempty"` // with accepted events: their seqs are given again if the node is lost within the next moment, under another boot
}
