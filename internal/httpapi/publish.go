package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
)

// publish is POST /v1/events.
func (a *api) publish(w http.ResponseWriter, r *http.Request) {
	mode := cloudevents.ModeOf(r.Header.Get("Content-Type"))
	if mode == cloudevents.Unknown {
		refuse(w, badMedia, "use "+cloudevents.TypeJSON+", "+cloudevents.TypeBatch+" or binary mode", nil)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.MaxBody))
	if err != nil {
		refuseBody(w, err)
		return
	}
	events, err := parse(mode, r.Header, body)
	if err != nil {
		nameMedia(err, mode, r.Header, body)
		refuseError(w, err)
		return
	}
	a.append(w, r, events)
}

func parse(mode cloudevents.Mode, h http.Header, body []byte) ([]abi.Event, error) {
	if mode == cloudevents.Batch {
		return cloudevents.ParseBatch(body)
	}
	var ev abi.Event
	var err error
	if mode == cloudevents.Structured {
		ev, err = cloudevents.ParseJSON(body)
	} else {
		ev, err = cloudevents.ParseHTTP(h, body)
	}
	return []abi.Event{ev}, err
}

// nameMedia adds to an error what content type a body seems to be meant for that came without
// one, and without the attributes of binary mode.
func nameMedia(err error, mode cloudevents.Mode, h http.Header, body []byte) {
	var wrong *cloudevents.Error
	if mode != cloudevents.Binary || h.Get("Ce-Specversion") != "" || !errors.As(err, &wrong) {
		return
	}
	switch body = bytes.TrimSpace(body); {
	case bytes.HasPrefix(body, []byte("{")):
		wrong.Reason += "; an event as JSON comes with Content-Type: " + cloudevents.TypeJSON
	case bytes.HasPrefix(body, []byte("[")):
		wrong.Reason += "; a list of events as JSON comes with Content-Type: " + cloudevents.TypeBatch
	}
}

// refuseBody answers a body that could not be read.
func refuseBody(w http.ResponseWriter, err error) {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuseError(w, err)
		return
	}
	refuse(w, badRequest, "the body could not be read: "+err.Error(), nil)
}

// publishPlain is POST /v1/topics/{topic}: the body is the data.
func (a *api) publishPlain(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.MaxBody))
	if err != nil {
		refuseBody(w, err)
		return
	}
	if len(r.Header["Idempotency-Key"]) > 1 {
		refuse(w, badRequest, "Idempotency-Key is there more than once", nil)
		return
	}
	ev := abi.Event{
		Topic: r.PathValue("topic"), Key: r.URL.Query().Get("key"), ID: r.Header.Get("Idempotency-Key"),
		ContentType: r.Header.Get("Content-Type"), Data: body,
	}
	if ev.ContentType == "application/x-www-form-urlencoded" { // what curl -d says about anything
		ev.ContentType = ""
	}
	a.append(w, r, []abi.Event{ev})
}

func (a *api) append(w http.ResponseWriter, r *http.Request, events []abi.Event) {
	durability := a.Runtime.DefaultDurability()
	switch text := r.URL.Query().Get("durability"); text {
	case "":
	case log.Durable.String():
		durability = log.Durable
	case log.Accepted.String():
		durability = log.Accepted
	default:
		refuse(w, badRequest, "durability is durable or accepted, not "+text, nil)
		return
	}
	receipts, err := a.Runtime.Publish(r.Context(), events, durability)
	if err != nil {
		refuseError(w, err)
		return
	}
	out := wire.Published{Events: make([]wire.Receipt, len(receipts))}
	status := http.StatusOK // all of it was there already
	for i, p := range receipts {
		out.Events[i] = wire.Receipt{ID: p.ID, Seq: uint64(p.Seq), Version: uint64(p.Version), Durability: p.Durability.String(), Duplicate: p.Duplicate}
		if !p.Duplicate {
			status = http.StatusCreated
		}
		if p.Durability == log.Accepted {
			out.Boot = a.Runtime.Store().Boot()
		}
	}
	respond(w, status, out)
}
