package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	goruntime "runtime"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// cache keeps compiled modules in a folder. What lies there is machine code that will be
// run, so it is made for its owner alone, and every entry is sealed with a key that lies
// beside it: what was damaged, or put there without the key, is thrown away and made
// again. It does not help against somebody who can read the owner's files.
//
//	key                           32 random bytes
//	<digest>-<versions>/seal      HMAC-SHA-256, in hex, of the names and bytes of the rest
//	<digest>-<versions>/wazero…/  what the engine wrote: one file
//	new-*/                        being made; left over from a crash: removed at the next start
type cache struct {
	dir string
	key []byte
}

const (
	keyFile     = "key"
	sealFile    = "seal"
	newPrefix   = "new-"
	maxCompiled = 512 << 20 // bytes of one entry; the largest honest ones have 30 MB
)

// openCache makes the folder if it is not there. The error names what is wrong with it.
func openCache(dir string) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for compiled modules: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for compiled modules must be the owner's alone: %w", err)
	}
	c := &cache{dir: dir}
	left, _ := filepath.Glob(filepath.Join(dir, newPrefix+"*"))
	for _, path := range left {
		_ = os.RemoveAll(path)
	}
	return c, c.loadKey()
}

func (c *cache) loadKey() error {
	path := filepath.Join(c.dir, keyFile)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == sha256.Size {
		c.key = key
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the key of the compiled modules: %w", err)
	}
	c.key = make([]byte, sha256.Size)
	_, _ = rand.Read(c.key) // never fails
	temporary := path + ".new"
	if err := writeSynced(temporary, c.key); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// entry is the folder of a module. Its name has all that the machine code depends on.
func (c *cache) entry(digest string) string {
	return filepath.Join(c.dir, digest[len("sha256:"):len("sha256:")+32]+"-"+versions())
}

// versions names rewriter, engine and machine.
func versions() string {
	engine := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/tetratelabs/wazero" {
				engine = d.Version
			}
		}
	}
	sum := sha256.Sum256([]byte(cpu()))
	return "r" + strconv.Itoa(wasmbin.RewriterVersion) + "-" + engine + "-" + goruntime.GOARCH + "-" + hex.EncodeToString(sum[:4])
}

// cpu describes what the processor can do, as far as the system says.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return goruntime.GOOS
	}
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("flags")) || bytes.HasPrefix(line, []byte("Features")) {
			return string(line)
		}
	}
	return goruntime.GOOS
}

var errBadEntry = errors.New("a compiled module is damaged or was not made here")

// verify checks the seal of an entry. The error is fs.ErrNotExist where there is none, and
// errBadEntry where it must be made again.
func (c *cache) verify(entry string) error {
	want, err := os.ReadFile(filepath.Join(entry, sealFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Lstat(entry); errors.Is(statErr, fs.ErrNotExist) {
			return fs.ErrNotExist
		}
		return errBadEntry
	}
	if err != nil {
		return errBadEntry
	}
	got, err := c.seal(entry)
	if err != nil || !hmac.Equal(want, got) {
		return errBadEntry
	}
	return nil
}

// seal computes the seal of an entry, which must hold exactly one file of the engine's.
func (c *cache) seal(entry string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(entry, "*", "*"))
	if err != nil || len(files) != 1 {
		return nil, errBadEntry
	}
	info, err := os.Lstat(files[0])
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCompiled {
		return nil, errBadEntry
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	name, err := filepath.Rel(entry, files[0])
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, c.key)
	fmt.Fprintf(mac, "%s\x00%s\x00%d\x00", filepath.Base(entry), name, len(content))
	_, _ = mac.Write(content)
	return []byte(hex.EncodeToString(mac.Sum(nil))), nil
}

// adopt seals what was made in the folder made and puts it in the place of entry.
func (c *cache) adopt(made, entry string) error {
	final := filepath.Join(made, filepath.Base(entry)) // the seal covers the name that it will have
	if err := os.Mkdir(final, 0o700); err != nil {
		return err
	}
	parts, err := filepath.Glob(filepath.Join(made, "*"))
	if err != nil {
		return err
	}
	for _, part := range parts {
		if part != final {
			if err := os.Rename(part, filepath.Join(final, filepath.Base(part))); err != nil {
				return err
			}
		}
	}
	seal, err := c.seal(final)
	if err != nil {
		return err
	}
	if err := syncAll(final); err != nil {
		return err
	}
	if err := writeSynced(filepath.Join(final, sealFile), seal); err != nil {
		return err
	}
	_ = os.RemoveAll(entry)
	return os.Rename(final, entry)
}

// syncAll writes the files of an entry through to the disk.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
