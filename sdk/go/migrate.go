package avx

import "strconv"

// Migrate is the body of a module's avx_migrate, which turns the state of an older
// state_version into that of the module. Go cannot export it for you; write
//
//	//go:wasmexport avx_migrate
//	func migrate(from int32) int32 { return avx.Migrate(from, step) }
//
// step does a part of the work, with the limits of an event, and says whether there is more;
// an error drops the new version, and the old one goes on. What a step wrote is committed when
// it returns, and the instance may be another one for the next: how far it is must be seen in
// the state. It may not emit.
func Migrate(from int32, step func(from int) (more bool, err error)) int32 {
	more, err := step(int(from))
	switch {
	case err != nil:
		Log(4, "the state of version "+strconv.Itoa(int(from))+" was not migrated: "+err.Error())
		return -1
	case more:
		return 1
	}
	return 0
}
