package avx

import (
	"os"
	"strings"
	"testing"
)

// TestStatusWords: every refusal is said in words, and those that a manifest or a limit mends
// are the words of the Rust SDK.
func TestStatusWords(t *testing.T) {
	for s := NotFound; s >= Unsupported; s-- {
		if text := s.Error(); text == "" || strings.Contains(text, "answered") {
			t.Errorf("%d is %q", s, text)
		}
	}
	if text := Status(-99).Error(); text != "the host answered -99" {
		t.Errorf("an unknown status is %q", text)
	}
	rust, err := os.ReadFile("../rust/avx.rs")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Status{Denied, Quota, TooLarge, Conflict} {
		if !strings.Contains(string(rust), `("`+s.Error()+`")`) {
			t.Errorf("the Rust SDK does not say %q", s.Error())
		}
	}
}
