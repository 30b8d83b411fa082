package abi_test

import (
	"fmt"
	"math/big"

	"github.com/avx-platform/avxrt/abi"
)

// fields is an event as the page in docs/abi.md lists it, one line a field.
type fields struct {
	Flags, Seq, Time, Version, Kind, Attempt, Left, Appended string
	Parts                                                    [7]string
}

// num reads n little-endian bytes the slow way.
func num(b []byte, off, n int) *big.Int {
	v := new(big.Int)
	for i := n - 1; i >= 0; i-- {
		v.Lsh(v, 8)
		v.Or(v, big.NewInt(int64(b[off+i])))
	}
	return v
}

func signed(b []byte, off int) string { return fmt.Sprint(int64(num(b, off, 8).Uint64())) }

// reference is the layout read in the most obvious way; the fuzz test holds DecodeFrame against it.
func reference(b []byte) (string, bool) {
	if len(b) < 96 || num(b, 0, 4).Int64() != int64(len(b)) {
		return "", false
	}
	hlen := num(b, 4, 2).Int64()
	if hlen < 96 || hlen > int64(len(b)) {
		return "", false
	}
	f := fields{
		Flags: num(b, 6, 2).String(), Seq: num(b, 8, 8).String(), Time: signed(b, 16), Version: num(b, 24, 8).String(),
		Kind: num(b, 32, 2).String(), Attempt: num(b, 36, 4).String(), Left: num(b, 40, 4).String(), Appended: signed(b, 72),
	}
	at := hlen
	for i := range f.Parts {
		n := num(b, 44+4*i, 4).Int64()
		if at+n > int64(len(b)) {
			return "", false
		}
		f.Parts[i] = string(b[at : at+n])
		at += n
	}
	return fmt.Sprintf("%+v", f), at == int64(len(b)) && headersFit(f.Parts[5])
}

func headersFit(h string) bool {
	for h != "" {
		if len(h) < 4 {
			return false
		}
		k, v := int(h[0])+int(h[1])<<8, int(h[2])+int(h[3])<<8
		if k == 0 || len(h) < 4+k+v {
			return false
		}
		h = h[4+k+v:]
	}
	return true
}

func plain(e *abi.Event) fields {
	return fields{
		Flags: fmt.Sprint(uint16(e.Flags)), Seq: fmt.Sprint(uint64(e.Seq)), Time: fmt.Sprint(e.Time),
		Version: fmt.Sprint(uint64(e.Version)), Kind: fmt.Sprint(uint16(e.Kind)), Attempt: fmt.Sprint(e.Attempt),
		Left: fmt.Sprint(e.Left), Appended: fmt.Sprint(e.Appended),
		Parts: [7]string{e.Topic, e.Key, e.ID, e.Source, e.ContentType, string(e.Headers), string(e.Data)},
	}
}
