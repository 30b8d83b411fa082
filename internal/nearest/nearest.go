package nearest

import "strings"

// Word returns the one of words that is fewest edits (a letter more, fewer, other, or two
// swapped) away from word, "" if all are too far: at most two edits, and fewer than half of
// its letters.
func Word(word string, words ...string) string {
	best, distance := "", min(2, (len(word)-1)/2)+1
	for _, w := range words {
		if apart := len(word) - len(w); apart >= distance || -apart >= distance {
			continue // so many edits at least; word may be long, w is ours
		}
		if d := edits(word, w); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// Hint suggests what was meant, or lists what there is: `did you mean "x"?` or `use "x",
// "y" or "z"`. It is "" without words.
func Hint(word string, words ...string) string {
	if meant := Word(word, words...); meant != "" {
		return `did you mean "` + meant + `"?`
	}
	if len(words) == 0 {
		return ""
	}
	return "use " + List(words)
}

// List writes words as a sentence has them: "x", "y" or "z".
func List(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(`"` + w + `"`)
	}
	return b.String()
}

// edits is the distance of two words where a swap of neighbours counts one (optimal string
// alignment), in bytes.
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
