package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// mask replaces what differs between two errors of the same cause: each word that holds a
// digit, which numbers, ids and addresses do, and each word of eight or more hexadecimal
// letters. A word is a run of letters, digits, '-' and '_'.
func mask(message string) string {
	var out strings.Builder
	for rest := message; rest != ""; {
		n := strings.IndexFunc(rest, func(c rune) bool { return !isWord(c) })
		if n < 0 {
			n = len(rest)
		}
		word := rest[:n]
		if strings.ContainsAny(word, "0123456789") || len(word) >= 8 && strings.Trim(word, "abcdefABCDEF") == "" {
			word = "#"
		}
		out.WriteString(word)
		rest = rest[n:]
		n = strings.IndexFunc(rest, isWord)
		if n < 0 {
			n = len(rest)
		}
		out.WriteString(rest[:n])
		rest = rest[n:]
	}
	return out.String()
}

func isWord(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c >= 0x80
}

// fingerprint is the same for errors that differ in numbers and ids alone: 12 hexadecimal
// digits, enough to tell the causes of one store apart.
func fingerprint(reason, masked string) string {
	sum := sha256.Sum256([]byte(reason + "\x00" + masked))
	return hex.EncodeToString(sum[:6])
}
