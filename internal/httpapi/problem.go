package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"syscall"

	"github.com/avx-platform/avxrt/internal/catalogue"
	"github.com/avx-platform/avxrt/internal/cloudevents"
	"github.com/avx-platform/avxrt/internal/wire"
	"github.com/avx-platform/avxrt/log"
	"github.com/avx-platform/avxrt/router"
	"github.com/avx-platform/avxrt/runtime"
)

// kind is a class of refusals; the codes never change their meaning.
type kind struct {
	status int
	code   string
	title  string
}

// The kinds; package catalogue explains their codes, under the same titles.
var (
	badRequest    = kind{http.StatusBadRequest, "AVX2000", "The request is malformed"}
	badEvent      = kind{http.StatusBadRequest, "AVX2001", "The event is not a valid CloudEvent"}
	badTopic      = kind{http.StatusBadRequest, "AVX2002", "The topic or pattern is not valid"}
	reservedTopic = kind{http.StatusForbidden, "AVX2003", "The topic is reserved for the host"}
	foreignHost   = kind{http.StatusForbidden, "AVX2004", "The request came under a foreign name"}
	foreignOrigin = kind{http.StatusForbidden, "AVX2005", "The request came from another web origin"}
	notFound      = kind{http.StatusNotFound, "AVX2006", "There is no such thing"}
	notAllowed    = kind{http.StatusMethodNotAllowed, "AVX2007", "The method is not allowed here"}
	conflict      = kind{http.StatusConflict, "AVX2008", "The stream is at another version"}
	tooLarge      = kind{http.StatusRequestEntityTooLarge, "AVX2009", "The request is too large"}
	badMedia      = kind{http.StatusUnsupportedMediaType, "AVX2010", "The content type is not spoken here"}
	badPlan       = kind{http.StatusUnprocessableEntity, "AVX2011", "The new plan was refused"}
	draining      = kind{http.StatusServiceUnavailable, "AVX2012", "The node is shutting down"}
	diskFull      = kind{http.StatusInsufficientStorage, "AVX2014", "The disk of the node is full"}
	busy          = kind{http.StatusServiceUnavailable, "AVX2015", "The node is overloaded"}
	closedStream  = kind{http.StatusGone, "AVX2016", "The stream was closed"}
	wrongState    = kind{http.StatusConflict, "AVX2017", "The subscriber is not in a state for that"}
	badModule     = kind{http.StatusUnprocessableEntity, "AVX2018", "The module was refused"}
	internal      = kind{http.StatusInternalServerError, "AVX2013", "The node failed"}
)

// refuse answers with a problem.
func refuse(w http.ResponseWriter, k kind, detail string, event *int) {
	if k.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	begin(w, "application/problem+json", k.status)
	_ = json.NewEncoder(w).Encode(wire.Problem{
		Type: "urn:avxrt:problem:" + k.code, Title: k.title, Status: k.status, Code: k.code, Help: catalogue.Help(k.code), Detail: detail, Event: event,
	})
}

// refuseError finds the kind of an error.
func refuseError(w http.ResponseWriter, err error) {
	var (
		event   *log.EventError
		version *log.VersionError
		closed  *log.StreamClosedError
		cloud   *cloudevents.Error
		syntax  *router.SyntaxError
		module  *runtime.ManifestError
		large   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &large):
		refuse(w, tooLarge, "the body is larger than "+strconv.FormatInt(large.Limit, 10)+" bytes; split it, or raise the node's limit", nil)
	case errors.As(err, &cloud):
		refuse(w, badEvent, cloud.Error(), &cloud.Index)
	case errors.As(err, &version):
		refuse(w, conflict, version.Error(), &version.Index)
	case errors.As(err, &event):
		k := badEvent
		if event.Field == "topic" {
			k = badTopic
		}
		refuse(w, k, event.Field+": "+event.Reason, &event.Index)
	case errors.As(err, &closed):
		refuse(w, closedStream, closed.Error(), &closed.Index)
	case errors.Is(err, log.ErrDiskFull) || errors.Is(err, syscall.ENOSPC):
		refuse(w, diskFull, err.Error(), nil)
	case errors.Is(err, log.ErrBusy):
		refuse(w, busy, err.Error(), nil)
	case errors.Is(err, log.ErrNotFound):
		refuse(w, notFound, err.Error(), nil)
	case errors.As(err, &syntax):
		refuse(w, badTopic, syntax.Error(), nil)
	case errors.Is(err, runtime.ErrReservedTopic):
		refuse(w, reservedTopic, err.Error(), nil)
	case errors.Is(err, runtime.ErrNotFound):
		refuse(w, notFound, err.Error(), nil)
	case errors.Is(err, runtime.ErrAttached) || errors.Is(err, runtime.ErrDetached) || errors.Is(err, runtime.ErrInTurn) || errors.Is(err, runtime.ErrRebuilding) ||
		errors.Is(err, log.ErrTooManySpans):
		refuse(w, wrongState, err.Error(), nil)
	case errors.As(err, &module):
		refuse(w, badModule, err.Error(), nil)
	case errors.Is(err, runtime.ErrDraining) || errors.Is(err, log.ErrClosed) || errors.Is(err, log.ErrFailed):
		refuse(w, draining, err.Error(), nil)
	case errors.Is(err, context.Canceled): // by the end of the node, unless the client went away, who hears nothing
		refuse(w, draining, "the node ended before it was done; send the request again after its restart", nil)
	default:
		if watched, ok := w.(*watchedWriter); ok {
			watched.failed(err)
		}
		refuse(w, internal, err.Error(), nil)
	}
}
