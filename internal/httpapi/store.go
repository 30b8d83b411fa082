package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
)

// maxStreamPage bounds the events of one answer about a stream.
const maxStreamPage = 1000

// keyStream is GET /v1/streams/{key}: a page of the events of one key, by version. from is
// the first version, at the last one (time travel), reverse=true turns it around.
func (a *api) keyStream(w http.ResponseWriter, r *http.Request) {
	from, err := number(r, "from", 0)
	at, err2 := number(r, "at", 0)
	limit, err3 := number(r, "limit", 100)
	for _, err := range []error{err, err2, err3} {
		if err != nil {
			refuse(w, badRequest, err.Error(), nil)
			return
		}
	}
	key := r.PathValue("key")
	store := a.Runtime.Store()
	info, err := store.Stream(key)
	if err == nil { // afterwards: what is told must not be taken back by a crash
		err = store.Sync(r.Context())
	}
	if err == nil && info.Version == 0 {
		refuse(w, notFound, "no event has the key "+strconv.Quote(key), nil)
		return
	}
	if err != nil {
		refuseError(w, err)
		return
	}
	opts := log.StreamOptions{From: abi.Version(from), Backward: r.URL.Query().Get("reverse") == "true", Durable: true}
	events, err := streamPage(store, key, opts, abi.Version(at), int(min(limit, maxStreamPage)))
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, wire.Stream{
		Key: key, Version: uint64(info.Version), TruncatedBefore: uint64(info.From), Closed: info.Closed, Events: events,
	})
}

func streamPage(store *log.Log, key string, opts log.StreamOptions, at abi.Version, limit int) ([]json.RawMessage, error) {
	if at != 0 && opts.Backward && (opts.From == 0 || opts.From > at) {
		opts.From = at
	}
	reader, err := store.ReadStream(key, opts)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	events := []json.RawMessage{}
	var ev abi.Event
	for len(events) < limit && reader.Next(&ev) {
		if at != 0 && ev.Version > at {
			break
		}
		events = append(events, cloudevents.AppendJSON(nil, &ev))
	}
	return events, reader.Err()
}

// backup is POST /v1/backups with {"dir": …}: a copy of the store on the node's own disk.
func (a *api) backup(w http.ResponseWriter, r *http.Request) {
	var in wire.BackupRequest
	if !body(w, r, &in) {
		return
	}
	if !filepath.IsAbs(in.Dir) {
		refuse(w, badRequest, `the body must be {"dir": "/an/absolute/path"}, a folder on the node's machine that does not exist yet`, nil)
		return
	}
	head, err := a.Runtime.Store().Backup(r.Context(), filepath.Clean(in.Dir))
	switch {
	case errors.Is(err, log.ErrDiskFull) || errors.Is(err, syscall.ENOSPC):
		refuseError(w, err)
		return
	case err != nil: // about the folder that was named
		refuse(w, badRequest, err.Error(), nil)
		return
	}
	respond(w, http.StatusCreated, wire.Backup{Dir: in.Dir, Head: uint64(head)})
}

// redact is POST /v1/events/{seq}/redaction with {"reason": …}.
func (a *api) redact(w http.ResponseWriter, r *http.Request) {
	var in wire.Reason
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		refuse(w, badRequest, "the seq of an event is a number", nil)
		return
	}
	if !body(w, r, &in) || !goodReason(w, in.Reason) {
		return
	}
	if in.Reason == "" {
		refuse(w, badRequest, `the body must be {"reason": "why"}; it is kept in the log`, nil)
		return
	}
	report, err := a.Runtime.Store().Redact(r.Context(), abi.Seq(seq), in.Reason)
	if err != nil {
		refuseError(w, err)
		return
	}
	respond(w, http.StatusOK, wire.Redaction{Seq: uint64(report.Seq), Found: report.Found, Copies: report.Copies, NotReached: report.Unreached})
}
