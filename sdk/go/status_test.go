package avx

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestStatusWords: every refusal is said in words, and those that a manifest or a limit mends
// are the words of the other SDKs.
func TestStatusWords(t *testing.T) {
	for s := NotFound; s >= Unsupported; s-- {
		if text := s.Error(); text == "" || strings.Contains(text, "answered") {
			t.Errorf("%d is %q", s, text)
		}
	}
	if text := Status(-99).Error(); text != "the host answered -99" {
		t.Errorf("an unknown status is %q", text)
	}
	for _, path := range []string{"../rust/avx.rs", "../c/avx.h", "../assemblyscript/avx.ts"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Status{Denied, Quota, TooLarge, Conflict} {
			if !strings.Contains(string(text), `("`+s.Error()+`")`) {
				t.Errorf("%s does not say %q", path, s.Error())
			}
		}
	}
}

// TestVerdict: an error of the handler rejects the event, unless it says otherwise or is a
// version conflict, which is tried again.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Failure
	}{
		{errors.New("so"), Failure{2, "so"}},
		{Denied, Failure{2, Denied.Error()}},
		{Conflict, Failure{1, "version conflict"}},
		{fmt.Errorf("order 7: %w", Conflict), Failure{1, "order 7: version conflict"}},
		{errors.Join(Reject("no"), Conflict), Failure{2, "no"}},
		{fmt.Errorf("x: %w", Skip("not mine")), Failure{3, "not mine"}},
	} {
		if got := verdict(tt.err); *got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.err, *got, tt.want)
		}
	}
}
