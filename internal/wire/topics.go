package wire

// Interest is a subscriber that a topic concerns.
type Interest struct {
	Subscriber string   `json:"subscriber"`
	Patterns   []string `json:"patterns"` // those that match
}

// Topics is a page of topics.
type Topics struct {
	Topics     []string `json:"topics"`
	To         uint64   `json:"to"`         // the last event that was looked at
	Incomplete bool     `json:"incomplete"` // the log has more topics than the node keeps
}

// Interests are the subscribers that a topic concerns.
type Interests struct {
	Subscribers []Interest `json:"subscribers"`
}
