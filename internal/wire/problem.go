package wire

// Problem is a refusal as RFC 9457 writes it.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"` // stable: AVX2001
	Help   string `json:"help"` // the command that explains the code
	Detail string `json:"detail,omitempty"`
	Event  *int   `json:"event,omitempty"` // which event of a batch, from 0
}

// Error gives code and detail.
func (p *Problem) Error() string {
	text := p.Title
	if p.Detail != "" {
		text = p.Detail
	}
	return p.Code + ": " + text
}
