package router

import "unsafe"

// block is a new pattern with its first subscriber and its text in one piece of memory. A
// match that finds the pattern has the text to compare and the subscriber close by: at a
// million subscriptions these would be two more misses of the cache, of the four that are
// left. The price is that the value of the first subscriber stays reachable as long as the
// pattern has another one.
type block[T, Text any] struct {
	entry entry[T]
	sub   Subscription[T]
	text  Text
}

// newBlock returns a new entry and its first subscription, both still to be filled in.
func newBlock[T any](p Pattern) (*entry[T], *Subscription[T]) {
	switch n := len(p.text); {
	case n <= 16:
		return blockOf[T, [16]byte](p)
	case n <= 32:
		return blockOf[T, [32]byte](p)
	case n <= 48:
		return blockOf[T, [48]byte](p)
	case n <= 64:
		return blockOf[T, [64]byte](p)
	}
	b := &block[T, struct{}]{}
	b.entry.pattern = p
	return &b.entry, &b.sub
}

func blockOf[T, Text any](p Pattern) (*entry[T], *Subscription[T]) {
	b := &block[T, Text]{}
	// The text is written here and never again, so the string may share its memory.
	text := unsafe.Slice((*byte)(unsafe.Pointer(&b.text)), len(p.text))
	copy(text, p.text)
	b.entry.pattern.text = unsafe.String(&text[0], len(text))
	return &b.entry, &b.sub
}
