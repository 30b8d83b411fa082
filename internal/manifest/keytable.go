package manifest

// keyTable is every key there is: what the reference and the schema are made of, and what
// unknown keys are held against. A test holds it against what is read (package's raw), against
// the defaults, and against the bounds.
var keyTable = []row{
	{Key{Path: "node", Type: Table, Doc: "Who and where the node is."}, nil},
	{Key{Path: "node.id", Type: Text, Doc: "Name of the node, a part of the source of what its subscribers emit. 1 to 63 of a-z, 0-9 and -, not - first. A change takes effect after a restart."},
		func(m *Manifest, _ *Subscriber) string { return m.Node.ID }},
	{Key{Path: "node.data", Type: Text, Doc: "Folder of the store. A change takes effect after a restart."},
		func(m *Manifest, _ *Subscriber) string { return m.Node.Data }},

	{Key{Path: "http", Type: Table, Doc: "The interface."}, nil},
	{Key{Path: "http.listen", Type: Text, Doc: "host:port to listen on; loopback addresses alone. Port 0 takes a free one. A change takes effect after a restart."},
		func(m *Manifest, _ *Subscriber) string { return m.HTTP.Listen }},

	{Key{Path: "log", Type: Table, Doc: "The store of events."}, nil},
	{Key{Path: "log.durability", Type: Text, Words: []string{"durable", "accepted"}, Doc: "When a publish that does not say is answered: once the disk has it, or once it has its place in the log."},
		func(m *Manifest, _ *Subscriber) string { return m.Log.Durability }},
	{Key{Path: "log.min_free", Type: Size, Low: "1MiB", Doc: "Bytes of the disk that are left alone: with less, events are refused. By default 256MiB, or an eighth of a disk below 2GiB."}, nil},
	{Key{Path: "log.retention", Type: Table, Doc: "Which events may leave the log. Nothing leaves by default."}, nil},
	{Key{Path: "log.retention.max_age", Type: Duration, Low: "1m", High: printDuration(maxAge), Doc: "Events older than this leave."}, nil},
	{Key{Path: "log.retention.max_bytes", Type: Size, Low: "1MiB", Doc: "Above this size the oldest events leave."}, nil},
	{Key{Path: "log.retention.topics", Type: Tables, Doc: "Topics whose events leave earlier."}, nil},
	{Key{Path: "log.retention.topics.pattern", Type: Text, Required: true, Doc: "Pattern of the topics."}, nil},
	{Key{Path: "log.retention.topics.max_age", Type: Duration, Required: true, Low: "1m", High: printDuration(maxAge), Doc: "Their events leave at this age."}, nil},

	{Key{Path: "plugins", Type: Table, Doc: "Where modules come from."}, nil},
	{Key{Path: "plugins.dir", Type: Text, Doc: "Folder of the modules."},
		func(m *Manifest, _ *Subscriber) string { return m.Plugins.Dir }},
	{Key{Path: "plugins.watch", Type: Switch, Doc: "Whether a change of the manifest or of a module is taken by itself."},
		func(m *Manifest, _ *Subscriber) string {
			if m.Plugins.Watch {
				return "true"
			}
			return "false"
		}},
	{Key{Path: "plugins.idle_memory", Type: Size, Low: printSize(minIdleMemory), High: printSize(maxIdleMemory), Doc: "Above this memory of all instances together, those that wait for events are given back; they come back with the next event."},
		func(m *Manifest, _ *Subscriber) string { return printSize(m.Plugins.IdleMemory) }},

	{Key{Path: "subscriber", Type: Tables, Doc: "A module bound to patterns of topics."}, nil},
	{Key{Path: "subscriber.name", Type: Text, Required: true, Doc: "Its name, under which cursor and state are kept. 1 to 63 of a-z, 0-9 and -, not - first."}, nil},
	{Key{Path: "subscriber.module", Type: Text, Required: true, Doc: "File of the module inside of plugins.dir, never outside."}, nil},
	{Key{Path: "subscriber.sha256", Type: Text, Doc: "64 hex digits that the module must have; nothing: any module."}, nil},
	{Key{Path: "subscriber.topics", Type: Texts, Required: true, Doc: "Patterns of the topics it handles; * stands for one segment, ** for any number."}, nil},
	{Key{Path: "subscriber.emits", Type: Texts, Doc: "Grants: patterns of the topics it may emit. Nothing else is."}, nil},
	{Key{Path: "subscriber.start", Type: Text, Doc: "Where it begins when the store does not know it: earliest, latest, last-per-topic, seq:<n> or time:<RFC 3339>."},
		func(_ *Manifest, s *Subscriber) string { return s.Start.Kind }},
	{Key{Path: "subscriber.partitions", Type: Integer, Low: "1", High: number(MaxPartitions), Doc: "How many events of different keys may be handled at the same time. Events of a key stay in order."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Partitions) }},
	{Key{Path: "subscriber.state_version", Type: Integer, Low: "1", High: number(MaxStateVersion), Doc: "Version of the layout of the state; raise it for a module that cannot read what the one before it wrote. See docs/swaps.md."},
		func(_ *Manifest, s *Subscriber) string { return number(s.StateVersion) }},
	{Key{Path: "subscriber.limits", Type: Table, Doc: "What one event may cost."}, nil},
	{Key{Path: "subscriber.limits.fuel", Type: Count, Low: "1", Doc: "Fuel: about one for each instruction."},
		func(_ *Manifest, s *Subscriber) string { return printCount(s.Limits.Fuel) }},
	{Key{Path: "subscriber.limits.time", Type: Duration, Low: "1ms", High: printDuration(maxTime), Doc: "Time by the clock."},
		func(_ *Manifest, s *Subscriber) string { return printDuration(s.Limits.Time) }},
	{Key{Path: "subscriber.limits.memory", Type: Size, Low: printSize(64 << 10), High: printSize(maxMemory), Doc: "Memory of an instance."},
		func(_ *Manifest, s *Subscriber) string { return printSize(s.Limits.Memory) }},
	{Key{Path: "subscriber.limits.depth", Type: Integer, Low: number(minDepth), High: number(maxDepth), Doc: "Depth of recursion: 1 a frame, more for large frames."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Limits.Depth) }},
	{Key{Path: "subscriber.limits.emits", Type: Integer, Low: "1", High: number(maxEmits), Doc: "Events emitted."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Limits.Emits) }},
	{Key{Path: "subscriber.limits.emit_bytes", Type: Size, Low: printSize(1 << 10), High: printSize(maxEmitBytes), Doc: "Bytes of all events emitted."},
		func(_ *Manifest, s *Subscriber) string { return printSize(int64(s.Limits.EmitBytes)) }},
	{Key{Path: "subscriber.limits.state_bytes", Type: Size, Low: printSize(1 << 10), High: printSize(maxStateBytes), Doc: "Keys and values written, and 64 bytes for each write."},
		func(_ *Manifest, s *Subscriber) string { return printSize(int64(s.Limits.StateBytes)) }},
	{Key{Path: "subscriber.limits.log_lines", Type: Integer, Low: "1", High: number(maxLogLines), Doc: "Log lines; what is over is counted and dropped."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Limits.LogLines) }},
	{Key{Path: "subscriber.limits.timers", Type: Integer, Low: "1", High: number(maxTimers), Doc: "Timers of the subscriber that wait."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Limits.Timers) }},
	{Key{Path: "subscriber.retry", Type: Table, Doc: "How an event is tried again that timed out, or for which the module asks for it."}, nil},
	{Key{Path: "subscriber.retry.attempts", Type: Integer, Low: "1", High: number(maxAttempts), Doc: "How often it is tried in all."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Retry.Attempts) }},
	{Key{Path: "subscriber.retry.backoff", Type: Text, Doc: "Wait after the first and, at most, after the last attempt, each 1ms to 24h; it doubles in between."},
		func(_ *Manifest, s *Subscriber) string {
			return printDuration(s.Retry.Min) + ".." + printDuration(s.Retry.Max)
		}},
	{Key{Path: "subscriber.on_poison", Type: Text, Words: []string{"park", "block", "skip", "stop"}, Doc: "What becomes of an event that fails for good: a dead letter; one that also blocks its key; it is counted; the subscriber stops at it."},
		func(_ *Manifest, s *Subscriber) string { return s.OnPoison }},
	{Key{Path: "subscriber.verify", Type: Number, Low: "0", High: "1", Doc: "Share of the runs that are done again on the interpreter and compared; 0.001 is one in a thousand."},
		func(*Manifest, *Subscriber) string { return "0" }},
	{Key{Path: "subscriber.swap", Type: Table, Doc: "How a new module goes into service; see docs/swaps.md."}, nil},
	{Key{Path: "subscriber.swap.mode", Type: Text, Words: []string{SwapImmediate, SwapShadow, SwapCanary}, Doc: "At once; after a rehearsal against the present one; or at once and back if one of its first events fails."},
		func(_ *Manifest, s *Subscriber) string { return s.Swap.Mode }},
	{Key{Path: "subscriber.swap.events", Type: Integer, Low: "1", High: number(maxSwapEvents), Doc: "Events of the rehearsal or the trial. Needs mode shadow or canary."},
		func(_ *Manifest, s *Subscriber) string { return number(s.Swap.Events) }},
	{Key{Path: "subscriber.swap.require", Type: Text, Words: []string{RequireSame}, Doc: "Refuse a module that emits or writes something else. Needs mode shadow."}, nil},
	{Key{Path: "subscriber.config", Type: TextMap, Doc: "What the module reads by conf. Its README says which keys."}, nil},
}
