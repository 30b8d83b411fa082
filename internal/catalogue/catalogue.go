package catalogue

import (
	"slices"
	"strings"
)

// Entry is what there is to say about one code.
type Entry struct {
	Code  string `json:"code"`           // AVX and four digits
	Word  string `json:"word,omitempty"` // as a dead letter's reason, a trap or a host function's answer is called
	Title string `json:"title"`
	Means string `json:"means"`
	Do    string `json:"do"` // what to do about it
}

// All returns every entry, by code.
func All() []Entry {
	return slices.Concat(local, http, guest)
}

// Find returns the entry of a code or a word, in any case and with or without AVX.
func Find(code string) (Entry, bool) {
	for _, e := range All() {
		if strings.EqualFold(code, e.Code) || "AVX"+code == e.Code || e.Word != "" && strings.EqualFold(code, e.Word) {
			return e, true
		}
	}
	return Entry{}, false
}

// Names returns all codes, then all words.
func Names() []string {
	var codes, words []string
	for _, e := range All() {
		codes = append(codes, e.Code)
		if e.Word != "" {
			words = append(words, e.Word)
		}
	}
	return append(codes, words...)
}

// Help is the command that explains a code.
func Help(code string) string { return "avxrt errors " + code }
