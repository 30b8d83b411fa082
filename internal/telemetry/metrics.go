package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/avx-platform/avxrt/runtime"
)

// Handler serves the metrics of a node.
func Handler(r *runtime.Runtime) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{r}, &guestCollector{r},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// collector reads the node when it is scraped.
type collector struct{ r *runtime.Runtime }

// nodeMetric is a figure of the node.
type nodeMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*runtime.Status) float64
}

// subscriberMetric is a figure of each subscriber.
type subscriberMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*runtime.SubscriberStatus) float64
}

func node(name, help string, kind prometheus.ValueType, value func(*runtime.Status) float64) nodeMetric {
	return nodeMetric{prometheus.NewDesc("avxrt_"+name, help, nil, nil), kind, value}
}

func subscriber(name, help string, kind prometheus.ValueType, value func(*runtime.SubscriberStatus) float64) subscriberMetric {
	return subscriberMetric{prometheus.NewDesc("avxrt_subscriber_"+name, help, []string{"subscriber"}, nil), kind, value}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var nodeMetrics = []nodeMetric{
	node("log_head_seq", "Last seq that subscribers can see.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.Head) }),
	node("log_durable_seq", "Last seq that is on disk.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.Durable) }),
	node("log_appended_events_total", "Events appended since the start.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Appended) }),
	node("log_duplicate_events_total", "Published events that were there already.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Duplicates) }),
	node("log_refused_requests_total", "Appends and commits that were refused.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Refused) }),
	node("log_commits_total", "Commits of subscribers.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Commits) }),
	node("log_groups_total", "Batches written.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Groups) }),
	node("log_syncs_total", "Times that the disk was waited for.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Syncs) }),
	node("log_written_bytes_total", "Bytes of events written.", counter, func(s *runtime.Status) float64 { return float64(s.Log.ChunkBytes) }),
	node("log_disk_bytes", "Size of the store.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.DiskBytes) }),
	node("log_first_seq", "First seq that retention left.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.First) }),
	node("log_indexed_seq", "Seq up to which the stream index knows the log.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.Indexed) }),
	node("log_verified_seq", "Where the background verification is.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.Verified) }),
	node("log_damages_total", "Damage found in the store since the start.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Damages) }),
	node("log_disk_free_bytes", "Room on the disk of the store, as last seen.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.DiskFree) }),
	node("log_disk_full", "1 while events are refused because the disk is almost full.", gauge, func(s *runtime.Status) float64 { return truth(s.Log.DiskFull) }),
	node("log_flushed_bytes_total", "Bytes that the engine wrote from memory into tables.", counter, func(s *runtime.Status) float64 { return float64(s.Log.FlushedBytes) }),
	node("log_compacted_bytes_total", "Bytes that the engine rewrote.", counter, func(s *runtime.Status) float64 { return float64(s.Log.CompactedBytes) }),
	node("log_stalls_total", "Times that appends waited for the engine.", counter, func(s *runtime.Status) float64 { return float64(s.Log.Stalls) }),
	node("log_engine_errors_total", "Jobs that the engine had to try again.", counter, func(s *runtime.Status) float64 { return float64(s.Log.EngineErrors) }),
	node("log_queue_requests", "Requests that wait for the sequencer.", gauge, func(s *runtime.Status) float64 { return float64(s.Log.QueueLength) }),
	node("instances_held_bytes", "Memory that the instances of all subscribers hold: linear memory as far as it was ever touched, tables and stacks.", gauge, func(s *runtime.Status) float64 { return float64(s.Instances.Held) }),
	node("instances_bound_bytes", "Above it instances that wait for events are given back: plugins.idle_memory.", gauge, func(s *runtime.Status) float64 { return float64(s.Instances.Bound) }),
	node("instances_idle", "Instances that are kept for their subscribers between runs.", gauge, func(s *runtime.Status) float64 { return float64(s.Instances.Idle) }),
	node("instances_evicted_total", "Instances given back to keep the bound, since the start.", counter, func(s *runtime.Status) float64 { return float64(s.Instances.Evicted) }),
	node("timers_fired_total", "Timers that became events since the start.", counter, func(s *runtime.Status) float64 { return float64(s.Log.TimersFired) }),
	node("clock_stopped", "1 while timers and retention by age wait because the wall clock jumped.", gauge, func(s *runtime.Status) float64 { return truth(s.ClockProblem != "") }),
	node("ready", "1 while the node takes events.", gauge, func(s *runtime.Status) float64 { return truth(s.Ready) }),
	node("plan_reloads_total", "Plans adopted since the start.", counter, func(s *runtime.Status) float64 { return float64(s.Reloads) }),
	node("plan_refused_total", "New plans refused since the start.", counter, func(s *runtime.Status) float64 { return float64(s.RefusedReloads) }),
	node("plan_manifest_refused", "1 while the manifest on disk is refused and an older one runs.", gauge, func(s *runtime.Status) float64 { return truth(s.ManifestError != "") }),
}

var subscriberMetrics = []subscriberMetric{
	subscriber("lag_events", "Seqs between the cursor and the head; 0 if none of them concerns it.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.LagEvents) }),
	subscriber("oldest_unprocessed_seconds", "Age of the first event that concerns it and is not dealt with.", gauge, func(s *runtime.SubscriberStatus) float64 { return s.LagSeconds }),
	subscriber("blocked_keys", "Keys whose first event waits for its next attempt, or for an operator.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.BlockedKeys) }),
	subscriber("state_conflicts_total", "Runs of a partition that were done again because another one had changed what they read, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Conflicts) }),
	subscriber("cursor_seq", "Next seq that is neither dealt with nor waiting behind a blocked key.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.Cursor) }),
	subscriber("handled_events_total", "Events handled since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Handled) }),
	subscriber("emitted_events_total", "Events emitted since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Emitted) }),
	subscriber("traps_total", "Traps and time-outs since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Traps) }),
	subscriber("failures_total", "Events that the guest itself failed, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Failures) }),
	subscriber("retries_total", "Attempts after a failure, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Retries) }),
	subscriber("dead_letters_total", "Events given up since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.DeadLetters) }),
	subscriber("dead_letters", "Dead letters that there are.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.Letters) }),
	subscriber("refused_modules_total", "Modules that a rehearsal refused, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Refused) }),
	subscriber("rolled_back_generations_total", "Generations that failed on trial, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.RolledBack) }),
	subscriber("on_trial", "1 while the generation in service is watched for its first events.", gauge, func(s *runtime.SubscriberStatus) float64 { return truth(s.OnTrial) }),
	subscriber("lost_events_total", "Events that left the log before they were handled, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Lost) }),
	subscriber("execution_seconds_total", "Time spent in the guest.", counter, func(s *runtime.SubscriberStatus) float64 { return s.ExecSeconds }),
	subscriber("log_lines_dropped_total", "Log lines of the guest over limits.log_lines, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.LogDropped) }),
	subscriber("fuel_total", "Fuel burnt, about one for each instruction, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Fuel) }),
	subscriber("verified_runs_total", "Runs that were done again on the interpreter and compared, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Verified) }),
	subscriber("differing_runs_total", "Compared runs that came out otherwise, since the start.", counter, func(s *runtime.SubscriberStatus) float64 { return float64(s.Differences) }),
	subscriber("timers", "Timers that wait; limits.timers bounds them.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.Timers) }),
	subscriber("state_version", "Version of the state in service.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.StateVersion) }),
	subscriber("state_building", "Version of the state that is being migrated to, rebuilt or returned to; 0 if none is.", gauge, func(s *runtime.SubscriberStatus) float64 {
		if s.Build == nil {
			return 0
		}
		return float64(s.Build.Version)
	}),
	subscriber("state_build_commits", "Commits of the state that is being built so far.", gauge, func(s *runtime.SubscriberStatus) float64 {
		if s.Build == nil {
			return 0
		}
		return float64(s.Build.Commits)
	}),
	subscriber("memory_bytes", "Linear memory of the instance.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.MemoryBytes) }),
	subscriber("generation", "Number of the generation in service.", gauge, func(s *runtime.SubscriberStatus) float64 { return float64(s.Generation) }),
	subscriber("running", "0 while the subscriber is stopped, failed or paused.", gauge, func(s *runtime.SubscriberStatus) float64 {
		return truth(s.State == runtime.StateRunning || s.State == runtime.StateRetrying)
	}),
	subscriber("plan_refused", "1 while the subscriber's new module is refused and the old one runs.", gauge, func(s *runtime.SubscriberStatus) float64 { return truth(s.Problem != "") }),
}

// Describe sends the descriptions.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range nodeMetrics {
		ch <- m.desc
	}
	for _, m := range subscriberMetrics {
		ch <- m.desc
	}
}

// Collect reads the node.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	status := c.r.Status()
	for _, m := range nodeMetrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&status))
	}
	for _, s := range c.r.Subscribers() {
		for _, m := range subscriberMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s), s.Name)
		}
	}
}
