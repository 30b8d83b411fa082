package manifest

import (
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/avx-platform/avxrt/internal/nearest"
	"github.com/avx-platform/avxrt/router"
)

// builder turns the raw shape into a Manifest and collects what is wrong.
type builder struct {
	*report
	dir string
	env LookupEnv
	at  map[string]position

	told map[string]bool // paths of values of another type: there is no more to say of them
}

// subscriberName keeps names fit for file names, metric labels and event ids.
var subscriberName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (b *builder) build(in *raw) *Manifest {
	m := Default()
	m.Node.ID = b.setting("node.id", in.Node.ID, m.Node.ID).value
	m.Node.Data = b.path(b.setting("node.data", in.Node.Data, m.Node.Data))
	m.HTTP.Listen = b.setting("http.listen", in.HTTP.Listen, m.HTTP.Listen).value
	b.log(in, m)
	m.Plugins.Dir = b.path(b.setting("plugins.dir", in.Plugins.Dir, m.Plugins.Dir))
	b.plugins(in, m)
	if !subscriberName.MatchString(m.Node.ID) {
		b.bad("node.id", "use 1 to 63 of a-z, 0-9 and -, not - first", "%q is no name for a node", m.Node.ID)
	}
	b.checkListen(m.HTTP.Listen)
	seen := map[string]bool{}
	for i := range in.Subscribers {
		s := b.subscriber(fmt.Sprintf("subscriber[%d]", i), &in.Subscribers[i])
		if seen[s.Name] {
			b.bad(fmt.Sprintf("subscriber[%d].name", i), "give each subscriber a name of its own", "%q is taken", s.Name)
		}
		seen[s.Name] = true
		m.Subscribers = append(m.Subscribers, s)
	}
	return m
}

// source is a setting with where it came from.
type source struct {
	value   string
	fromEnv bool
}

func envKey(key string) string {
	return "AVXRT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// setting picks the environment, then the file, then the default.
func (b *builder) setting(key string, file *string, byDefault string) source {
	if b.env != nil {
		if value, ok := b.env(envKey(key)); ok {
			return source{value, true}
		}
	}
	if file != nil {
		return source{*file, false}
	}
	return source{byDefault, false}
}

func (b *builder) path(s source) string {
	if s.value == "" || filepath.IsAbs(s.value) {
		return s.value
	}
	if !s.fromEnv {
		return filepath.Join(b.dir, s.value)
	}
	absolute, err := filepath.Abs(s.value)
	if err != nil {
		b.add(position{}, s.value, "", "%v", err)
	}
	return absolute
}

// bad reports key, which stands in the file unless the environment set it.
func (b *builder) bad(key, hint, format string, args ...any) {
	if b.told[key] {
		return
	}
	shown := key[strings.LastIndexByte(key, ']')+1:]
	if b.env != nil {
		if _, ok := b.env(envKey(key)); ok {
			b.add(position{}, envKey(key), hint, format, args...)
			return
		}
	}
	at, ok := b.at[key]
	if !ok { // the key is absent: point at its table
		at = b.at[key[:max(strings.LastIndexByte(key, '.'), 0)]]
	}
	b.add(at, strings.TrimPrefix(shown, "."), hint, format, args...)
}

func (b *builder) plugins(in *raw, m *Manifest) {
	if v := b.setting("plugins.idle_memory", in.Plugins.IdleMemory, "").value; v != "" {
		m.Plugins.IdleMemory = b.size("plugins.idle_memory", v, minIdleMemory, maxIdleMemory)
	}
	if in.Plugins.Watch != nil {
		m.Plugins.Watch = *in.Plugins.Watch
	}
	if b.env == nil {
		return
	}
	switch value, ok := b.env(envKey("plugins.watch")); {
	case !ok:
	case value == "true" || value == "false":
		m.Plugins.Watch = value == "true"
	default:
		b.bad("plugins.watch", "use true or false", "%q is neither", value)
	}
}

// checkListen keeps the node on loopback: without tokens nobody else may talk to it.
func (b *builder) checkListen(listen string) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		b.bad("http.listen", "write host:port, for example 127.0.0.1:7080", "%q is no address", listen)
		return
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		b.bad("http.listen", "use a port from 0 to 65535", "%q is no port", port)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		b.bad("http.listen", "use 127.0.0.1, ::1 or localhost: other addresses need tokens, which this version does not have", "%q is not a loopback address", host)
	}
}

func (b *builder) subscriber(at string, in *rawSubscriber) Subscriber {
	s := defaultSubscriber()
	s.Name, s.Module, s.SHA256, s.Config = in.Name, in.Module, strings.ToLower(in.SHA256), in.Config
	if !subscriberName.MatchString(s.Name) {
		b.bad(at+".name", "use 1 to 63 of a-z, 0-9 and -, not - first", "%q is no name for a subscriber", s.Name)
	}
	if !filepath.IsLocal(filepath.FromSlash(s.Module)) || s.Module == "." {
		b.bad(at+".module", "name a file inside of plugins.dir, for example inventory.wasm", "%q is not inside of plugins.dir", s.Module)
	}
	if digest, err := hex.DecodeString(s.SHA256); s.SHA256 != "" && (err != nil || len(digest) != 32) {
		b.bad(at+".sha256", "write 64 hex digits, as sha256sum prints them", "%q is no digest", in.SHA256)
	}
	if len(in.Topics) == 0 {
		b.bad(at+".topics", `name at least one pattern, for example ["orders.**"]`, "no topics")
	}
	s.Topics = b.patterns(at+".topics", in.Topics)
	s.Emits = b.patterns(at+".emits", in.Emits)
	b.start(at, in, &s)
	b.limits(at, in, &s)
	b.retry(at, in, &s)
	b.swap(at, in, &s)
	if v := in.Verify; v != nil {
		if s.Verify = *v; !(*v >= 0 && *v <= 1) {
			b.bad(at+".verify", "write 0.001 for one run in a thousand", "%v is not between 0 and 1", *v)
		}
	}
	b.fixed(at, in, &s)
	return s
}

func (b *builder) patterns(key string, texts []string) []router.Pattern {
	var out []router.Pattern
	for _, text := range texts {
		p, err := router.ParsePattern(text)
		if err != nil {
			b.bad(key, "", "%v", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

// fixed checks the keys that have one value, or few, in this version.
func (b *builder) fixed(at string, in *rawSubscriber, s *Subscriber) {
	if in.Partitions != nil {
		if s.Partitions = *in.Partitions; s.Partitions < 1 || s.Partitions > MaxPartitions {
			b.bad(at+".partitions", fmt.Sprintf("write 1 to %d; two for each core are enough", MaxPartitions), "%d partitions are not possible", s.Partitions)
		}
	}
	b.between(at+".state_version", in.StateVersion, &s.StateVersion, 1, MaxStateVersion)
	if in.OnPoison == nil {
		return
	}
	switch s.OnPoison = *in.OnPoison; s.OnPoison {
	case "park", "block", "skip", "stop":
	default:
		b.bad(at+".on_poison", nearest.Hint(s.OnPoison, "park", "block", "skip", "stop"), "%q is unknown", s.OnPoison)
	}
}
