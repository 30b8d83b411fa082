//go:build !linux

package sandbox

func small([]byte) {}

// resident counts all of b where the system does not say what was touched.
func resident(b []byte, _ *[]byte) int64 { return int64(len(b)) }
