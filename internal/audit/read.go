package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/avx-platform/avxrt/abi"
	"github.com/avx-platform/avxrt/log"
)

// topicCheckpoint is what the subscriber emits the ends of its chain on.
const topicCheckpoint = "$audit.checkpoint"

// spans are ranges of seqs.
type spans []span

type span struct{ From, To abi.Seq }

func (s spans) hold(seq abi.Seq) bool {
	return slices.ContainsFunc(s, func(r span) bool { return r.From <= seq && seq <= r.To })
}

// readLog collects what the log itself says of its changes, and the checkpoints.
func (c *check) readLog() error {
	reader := c.l.NewReader(log.ReadOptions{Borrow: true, Match: func(topic string) bool {
		return topic == log.TopicRedacted || topic == log.TopicRetained || topic == topicCheckpoint
	}})
	defer reader.Close()
	var ev abi.Event
	for reader.Next(&ev) {
		var s span
		switch {
		case ev.Topic == topicCheckpoint:
			c.checkpoint(&ev)
		case json.Unmarshal(ev.Data, &s) != nil: // the log's own verification complains of it
		case ev.Topic == log.TopicRedacted:
			c.redacted = append(c.redacted, s)
		default:
			c.retained = append(c.retained, s)
		}
	}
	return reader.Err()
}

// checkpoint notes a link that the subscriber emitted. The id tells who emitted an event,
// and no publisher can use the topic.
func (c *check) checkpoint(ev *abi.Event) {
	var data struct {
		Count int64
		Link  string
	}
	if !strings.HasPrefix(ev.ID, c.subscriber+"-") || json.Unmarshal(ev.Data, &data) != nil {
		return
	}
	c.marks[data.Count] = append(c.marks[data.Count], mark{
		seq: ev.Seq, link: data.Link, what: fmt.Sprintf("the checkpoint that audit emitted in event %d names another link", ev.Seq),
	})
}
