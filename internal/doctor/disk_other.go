//go:build !linux && !darwin

package doctor

// diskOf cannot tell on this system.
func diskOf(string) (free uint64, system string, known bool) { return 0, "", false }
