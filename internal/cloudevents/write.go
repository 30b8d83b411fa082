package cloudevents

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avx-platform/avxrt/abi"
)

// AppendJSON appends e in structured mode. Where the log has given the event a place, it
// is there as sequence (20 digits, so that text order is order) and recordedtime.
func AppendJSON(dst []byte, e *abi.Event) []byte {
	b := append(dst, `{"specversion":"1.0"`...)
	b = appendAttribute(b, "id", e.ID)
	b = appendAttribute(b, "source", e.Source)
	b = appendAttribute(b, "type", e.Topic)
	if e.Key != "" {
		b = appendAttribute(b, "subject", e.Key)
	}
	if e.Time != 0 {
		b = appendAttribute(b, "time", stamp(e.Time))
	}
	if e.ContentType != "" {
		b = appendAttribute(b, "datacontenttype", e.ContentType)
	}
	if e.Seq != 0 {
		b = appendAttribute(b, "sequence", fmt.Sprintf("%020d", uint64(e.Seq)))
	}
	if e.Appended != 0 {
		b = appendAttribute(b, "recordedtime", stamp(e.Appended))
	}
	for name, value := range e.Headers.All() {
		b = appendAttribute(b, name, value)
	}
	return append(appendData(b, e), '}')
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

func appendAttribute(b []byte, name, value string) []byte {
	b = append(b, ',')
	b = appendString(b, name)
	b = append(b, ':')
	return appendString(b, value)
}

// appendString writes a JSON string; the library escapes what needs it.
func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // a string always marshals
	}
	return append(b, quoted...)
}

func appendData(b []byte, e *abi.Event) []byte {
	switch {
	case len(e.Data) == 0:
		return b
	case isJSON(e.ContentType) && utf8.Valid(e.Data) && json.Valid(e.Data): // the library takes any bytes for text
		return append(append(b, `,"data":`...), e.Data...)
	case isText(e.ContentType) && utf8.Valid(e.Data):
		return appendString(append(b, `,"data":`...), string(e.Data))
	}
	b = append(b, `,"data_base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, e.Data)
	return append(b, '"')
}

// isJSON says whether data of this type stands in the event as JSON.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return contentType == "" || err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"))
}

// isText says whether data of this type stands in the event as a string.
func isText(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") && !isJSON(contentType)
}
