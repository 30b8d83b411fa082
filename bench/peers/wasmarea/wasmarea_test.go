package wasmarea

import (
	"testing"
)

// TestSidesAgree runs both sides of every case once and compares what they come to.
func TestSidesAgree(t *testing.T) {
	for _, c := range Cases(true) {
		ours, err := c.Ours(t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		theirs, err := c.Theirs(t.TempDir())
		if err != nil {
			t.Fatalf("%s %s: %v", c.Name, c.Rival, err)
		}
		if ours.Digest != theirs.Digest || ours.Count != theirs.Count || ours.Digest == 0 {
			t.Errorf("%s %s: %+v and %+v", c.Name, c.Rival, ours, theirs)
		}
	}
}
