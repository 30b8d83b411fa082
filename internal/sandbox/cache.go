package sandbox

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	goruntime "runtime"

	"github.com/avx-platform/avxrt/internal/wasmbin"
)

// cache keeps compiled modules in a folder. What lies there is machine code that will be
// run, so it is made for its owner alone, and every entry is sealed with a key that lies
// beside it: what was damaged, or put there without the key, is thrown away and made
// again. It does not help against somebody who can read the owner's files.
//
//	key                                32 random bytes
//	<digest>-<versions>/seal           HMAC-SHA-256, in hex, of the names and bytes of the rest
//	<digest>-<versions>/wazero…/       what the engine wrote: one file
//	<digest>-<versions>/metered.wasm   the module as it was rewritten, which is what was compiled
//	<digest>-<versions>/about.json     what the module says of itself: see about
//	new-*/                             being made; left over from a crash: removed at the next start
//	                                   together with the entries of other versions
type cache struct {
	dir string
	key []byte
}

const (
	keyFile     = "key"
	sealFile    = "seal"
	meteredFile = "metered.wasm"
	aboutFile   = "about.json"
	newPrefix   = "new-"

	digestDigits = 32        // of a module's digest, in the name of its entry
	maxCompiled  = 512 << 20 // bytes of one entry; the largest honest ones have 30 MB
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
	if err := c.sweep(); err != nil {
		return nil, fmt.Errorf("look into the folder for compiled modules: %w", err)
	}
	return c, c.loadKey()
}

// sweep removes what was never finished, and what another version of this program or another
// machine made, which nobody can use here.
func (c *cache) sweep() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		digest, of, ok := strings.Cut(e.Name(), "-")
		_, err := hex.DecodeString(digest)
		if foreign := ok && err == nil && len(digest) == digestDigits && of != versions(); foreign || strings.HasPrefix(e.Name(), newPrefix) {
			_ = os.RemoveAll(filepath.Join(c.dir, e.Name()))
		}
	}
	return nil
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
	return filepath.Join(c.dir, digest[len("sha256:"):len("sha256:")+digestDigits]+"-"+versions())
}

// versions names the layout of an entry, rewriter, engine and machine.
var versions = sync.OnceValue(func() string {
	engine := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/tetratelabs/wazero" {
				engine = d.Version
			}
		}
	}
	sum := sha256.Sum256([]byte(cpu()))
	return "2-r" + strconv.Itoa(wasmbin.RewriterVersion) + "-" + engine + "-" + goruntime.GOARCH + "-" + hex.EncodeToString(sum[:4])
})

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

// about is what the look at a module and its rewriting found out. With it the module need
// not be looked at again: the seal vouches for it as for the machine code.
type about struct {
	Digest string
	Depth  int
	Info   wasmbin.Info
}

var errBadEntry = errors.New("a compiled module is damaged or was not made here")

// recall reads an entry whose seal is whole. The error is fs.ErrNotExist where there is
// none, and errBadEntry where it must be made again.
func (c *cache) recall(entry, digest string) (a about, metered []byte, err error) {
	want, err := os.ReadFile(filepath.Join(entry, sealFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := os.Lstat(entry); errors.Is(statErr, fs.ErrNotExist) {
			return a, nil, fs.ErrNotExist
		}
	}
	if err != nil {
		return a, nil, errBadEntry
	}
	got, parts, err := c.seal(entry)
	if err != nil || !hmac.Equal(want, got) {
		return a, nil, errBadEntry
	}
	if json.Unmarshal(parts[aboutFile], &a) != nil || a.Digest != digest {
		return a, nil, errBadEntry
	}
	return a, parts[meteredFile], nil
}

// seal computes the seal of an entry, and returns the files that it read, by name. An entry
// must hold one file of the engine's, and ours.
func (c *cache) seal(entry string) (seal []byte, parts map[string][]byte, err error) {
	files, err := filepath.Glob(filepath.Join(entry, "*", "*"))
	if err != nil || len(files) != 1 {
		return nil, nil, errBadEntry
	}
	parts = map[string][]byte{}
	mac := hmac.New(sha256.New, c.key)
	fmt.Fprintf(mac, "%s\x00", filepath.Base(entry))
	for _, path := range append(files, filepath.Join(entry, meteredFile), filepath.Join(entry, aboutFile)) {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxCompiled {
			return nil, nil, errBadEntry
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		name, err := filepath.Rel(entry, path)
		if err != nil {
			return nil, nil, err
		}
		fmt.Fprintf(mac, "%s\x00%d\x00", name, len(content))
		_, _ = mac.Write(content)
		parts[name] = content
	}
	return []byte(hex.EncodeToString(mac.Sum(nil))), parts, nil
}

// adopt seals what was made of a module in the folder made and puts it in the place of entry.
func (c *cache) adopt(made, entry string, a about, metered []byte) error {
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
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := errors.Join(writeSynced(filepath.Join(final, aboutFile), text), writeSynced(filepath.Join(final, meteredFile), metered)); err != nil {
		return err
	}
	seal, _, err := c.seal(final)
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
