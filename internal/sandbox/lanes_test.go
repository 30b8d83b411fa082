package sandbox_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/avx-platform/avxrt/internal/hostile"
	"github.com/avx-platform/avxrt/internal/sandbox"
)

// TestLanesOfAnotherWidth: what one instruction made as four floats the next one may take for
// two, where the bits of a NaN are those of an ordinary number. Both engines get the same.
func TestLanesOfAnotherWidth(t *testing.T) {
	all := hostile.Guests()
	guest := all[slices.IndexFunc(all, func(g hostile.Guest) bool { return g.Name == "lanes" })]
	replies := map[string][]byte{}
	names := hostile.Lanes()
	for name, e := range engines(t) {
		end, r := attack(t, e, guest, sandbox.Limits{})
		if end != "" || len(r.Reply) != 16*len(names) {
			t.Fatalf("%s: %q, %d bytes of %d", name, end, len(r.Reply), 16*len(names))
		}
		replies[name] = r.Reply
	}
	for k, name := range names {
		compiled, interpreted := replies["compiler"][16*k:][:16], replies["interpreter"][16*k:][:16]
		if !bytes.Equal(compiled, interpreted) {
			t.Errorf("%s: %x compiled, %x interpreted", name, compiled, interpreted)
		}
	}
}
