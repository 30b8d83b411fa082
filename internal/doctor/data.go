package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/avx-platform/avxrt/log"
)

// fewBytes is when a disk is worth a word: four times what the log leaves alone by default.
const fewBytes = 1 << 30

// data looks at the data folder, or at the one in which a node would make it.
func (e *exam) data() {
	dir := e.manifest.Node.Data
	at, exists := standing(dir)
	found := dir
	if !exists {
		found = dir + " will be made"
	}
	if err := writable(at); err != nil {
		e.add("data folder", Fail, err.Error(), "give the user of the node the right to write in "+at+", or set node.data to another folder")
		return
	}
	e.add("data folder", OK, found+", can be written", "")
	e.disk(at)
	e.lock(dir)
	if exists {
		e.ahead(dir)
	}
}

// standing returns dir, or the nearest folder above it that exists.
func standing(dir string) (at string, exists bool) {
	for at = dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || filepath.Dir(at) == at {
			return at, at == dir
		}
	}
}

// writable writes a file and takes it away again.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".avxrt-doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.WriteString("written by avxrt doctor\n")
	return err
}

func (e *exam) disk(dir string) {
	free, system, known := diskOf(dir)
	if !known {
		e.add("disk", Warn, "this system does not say how much room there is", "look yourself")
		return
	}
	found := fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))
	if system != "" {
		found += " on " + system
	}
	least := uint64(e.manifest.Log.MinFree)
	switch {
	case least > 0 && free < least:
		e.add("disk", Fail, found+"; log.min_free leaves more alone, so events would be refused (AVX2014)", "make room, or lower log.min_free")
	case free < fewBytes:
		e.add("disk", Warn, found, "make room: below 256MiB, or log.min_free, events are refused (AVX2014)")
	case remote[system]:
		e.add("disk", Warn, found+", a file system over a network: a lock or a sync may mean less there than a store needs", "set node.data to a folder on a disk of this machine")
	case system == "tmpfs" || system == "ramfs":
		e.add("disk", Warn, found+", which is memory: a store there is lost with the machine", "set node.data to a folder on a disk")
	default:
		e.add("disk", OK, found, "")
	}
}

// remote are file systems that are elsewhere.
var remote = map[string]bool{"nfs": true, "smb": true, "cifs": true, "9p": true, "fuse": true}

// lock tells who has the store open.
func (e *exam) lock(dir string) {
	pid, err := log.Holder(filepath.Join(dir, "log"))
	switch {
	case err != nil:
		e.add("store", Warn, err.Error(), "")
	case pid == 0:
		e.add("store", OK, "no process has it open", "")
	case e.node != nil && e.node.Data == dir:
		e.holder = pid
		e.add("store", OK, fmt.Sprintf("process %d, the node at %s, has it open", pid, e.Server), "")
	default:
		e.holder = pid
		e.add("store", Warn, fmt.Sprintf("process %d has it open, so another node would be refused (AVX1005)", pid), "stop that process, name its address by --server, or set node.data to another folder")
	}
}

// fromFuture is how far ahead a file may be: file systems and clocks are not of one grain.
const fromFuture = 5 * time.Second

// ahead finds files of the store that were written later than now.
func (e *exam) ahead(dir string) {
	now := time.Now()
	entries, err := os.ReadDir(filepath.Join(dir, "log"))
	if err != nil {
		return // there is no store yet
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.ModTime().After(now.Add(fromFuture)) {
			e.add("clock", Fail, fmt.Sprintf("the store was written %s from now: the clock of this machine went back", info.ModTime().Sub(now).Round(time.Second)),
				"set the clock (timedatectl); if it is right, start the node and run avxrt clock accept")
			return
		}
	}
}
