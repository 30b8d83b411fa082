package cloudevents

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

// Mode is how a request carries its events.
type Mode int

// The modes of the HTTP binding.
const (
	Binary     Mode = iota // attributes in headers, data in the body
	Structured             // one event as JSON
	Batch                  // a list of events as JSON
	Unknown                // a CloudEvents format that is not spoken here
)

// ModeOf tells the mode by the content type.
func ModeOf(contentType string) Mode {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil || !strings.HasPrefix(media, "application/cloudevents"):
		return Binary
	case media == TypeJSON:
		return Structured
	case media == TypeBatch:
		return Batch
	}
	return Unknown
}

// headerPrefix stands before the attributes in binary mode.
const headerPrefix = "Ce-"

// ParseHTTP reads an event in binary mode. The event borrows body.
func ParseHTTP(h http.Header, body []byte) (abi.Event, error) {
	ev := abi.Event{ContentType: h.Get("Content-Type"), Data: body}
	version := ""
	for name, values := range h {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		attribute = strings.ToLower(attribute)
		if len(values) != 1 {
			return ev, wrong(attribute, "is there %d times", len(values))
		}
		value, err := headerValue(values[0])
		if err != nil {
			return ev, wrong(attribute, "is not percent-encoded: %v", err)
		}
		switch attribute {
		case "specversion":
			version = value
		case "datacontenttype":
			return ev, wrong(attribute, "belongs into the Content-Type header")
		default:
			if err := setAttribute(&ev, attribute, value); err != nil {
				return ev, err
			}
		}
	}
	return ev, check(&ev, version)
}

// headerValue undoes the binding's encoding: percent signs, and the quotes that older
// senders put around values.
func headerValue(v string) (string, error) {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(v[1 : len(v)-1])
	}
	if !strings.Contains(v, "%") {
		return v, nil
	}
	return url.PathUnescape(v)
}
