package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/avx-platform/avxrt/abi"
)

type digest [sha256.Size]byte

// String returns it in hexadecimal.
func (d digest) String() string { return hex.EncodeToString(d[:]) }

func unhex(s string) (d digest, ok bool) {
	b, err := hex.DecodeString(s)
	return d, err == nil && copy(d[:], b) == len(d) && len(b) == len(d)
}

// row is one link: of an event, or of a gap up to seq.
type row struct {
	seq           abi.Seq
	meta, payload digest
	gap           bool
	from          int64
	link          digest
}

// parseRow reads "<seq> <meta> <payload> <link>" or "gap <from> <to> <link>".
func parseRow(value string) (r row, ok bool) {
	w := strings.Split(value, " ")
	if len(w) != 4 {
		return r, false
	}
	var err1, err2 error
	var seq uint64
	ok1, ok2 := true, true
	if r.gap = w[0] == "gap"; r.gap {
		r.from, err1 = strconv.ParseInt(w[1], 10, 64)
		seq, err2 = strconv.ParseUint(w[2], 10, 63)
	} else {
		seq, err1 = strconv.ParseUint(w[0], 10, 63)
		r.meta, ok1 = unhex(w[1])
		r.payload, ok2 = unhex(w[2])
	}
	r.seq = abi.Seq(seq)
	r.link, ok = unhex(w[3])
	return r, ok && ok1 && ok2 && err1 == nil && err2 == nil
}

// follow computes the link of a row behind prev.
func (r *row) follow(prev digest) digest {
	if r.gap {
		b := append(prev[:], "gap"...)
		b = binary.LittleEndian.AppendUint64(b, uint64(r.from))
		return sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(r.seq)))
	}
	return sha256.Sum256(append(append(prev[:], r.meta[:]...), r.payload[:]...))
}

// metaOf is the digest of what a redaction leaves.
func metaOf(ev *abi.Event) digest {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(ev.Seq))
	b = le.AppendUint64(b, uint64(ev.Time))
	b = le.AppendUint64(b, uint64(ev.Appended))
	for _, s := range []string{ev.Topic, ev.Key, ev.ID, ev.Source, ev.ContentType} {
		b = append(le.AppendUint32(b, uint32(len(s))), s...)
	}
	return sha256.Sum256(b)
}

// payloadOf is the digest of what a redaction erases.
func payloadOf(ev *abi.Event) digest {
	le := binary.LittleEndian
	b := append(le.AppendUint32(nil, uint32(len(ev.Headers))), ev.Headers...)
	return sha256.Sum256(append(le.AppendUint32(b, uint32(len(ev.Data))), ev.Data...))
}
