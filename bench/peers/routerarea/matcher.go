package routerarea

import (
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/gsl"

	"github.com/avx-platform/avxrt/router"
)

// matcher is one side. Patterns and topics are given to it in its own spelling.
type matcher interface {
	// add subscribes number id and returns what takes it out again.
	add(pattern string, id int) (remove func(), err error)
	// match returns the sum of the numbers that the topic reaches, and how many they are.
	match(topic string) (sum, n int)
}

// maker makes a side.
type maker struct {
	name     string
	make     func() matcher
	spelling *strings.Replacer // of patterns and, as far as they have it, topics
}

var (
	// In NATS > stands for one or more segments, as *.** does here.
	natsSpelling = strings.NewReplacer(".**", ".>", "**", ">")
	mqttSpelling = strings.NewReplacer(".", "/", "**", "#", "*", "+")
	ourSpelling  = strings.NewReplacer()
)

var (
	us         = maker{"avxrt", func() matcher { return &ours{router.New[int]()} }, ourSpelling}
	nats       = maker{"nats", func() matcher { return newNATS(server.NewSublistWithCache()) }, natsSpelling}
	natsPlain  = maker{"nats/uncached", func() matcher { return newNATS(server.NewSublistNoCache()) }, natsSpelling}
	gslMaker   = maker{"gsl", func() matcher { return &generic{gsl.NewSublist[int]()} }, natsSpelling}
	mochi      = maker{"mochi", func() matcher { return &mochiIndex{mqtt.NewTopicsIndex()} }, mqttSpelling}
	allRivals  = []maker{nats, natsPlain, gslMaker, mochi}
	usHandle   = maker{"avxrt/handle", newHandled, ourSpelling}
	usUncached = maker{"avxrt/uncached", func() matcher { return &ours{router.NewWith[int](router.Options{Cache: -1})} }, ourSpelling}
)

func newHandled() matcher {
	r := router.New[int]()
	return &handled{ours{r}, r.Topic(hotTopic)}
}

type ours struct{ r *router.Router[int] }

func (o *ours) add(pattern string, id int) (func(), error) {
	p, err := router.ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	s, err := o.r.Subscribe(id, p)
	if err != nil {
		return nil, err
	}
	return s.Unsubscribe, nil
}

func (o *ours) match(topic string) (sum, n int) {
	for m := range o.r.Match(topic, "") {
		sum += m.Subscription.Value
		n++
	}
	return sum, n
}

// batch returns the sum of the numbers that the topics reach, and how many they are.
func (o *ours) batch(topics []string) (sum, n int) {
	o.r.MatchBatch(topics, nil, func(_ int, m router.Match[int]) bool {
		sum += m.Subscription.Value
		n++
		return true
	})
	return sum, n
}

// handled is ours for one topic that is known before.
type handled struct {
	ours
	topic *router.Topic[int]
}

func (h *handled) match(string) (sum, n int) {
	for m := range h.topic.Match("") {
		sum += m.Subscription.Value
		n++
	}
	return sum, n
}

type generic struct{ l *gsl.GenericSublist[int] }

func (g *generic) add(pattern string, id int) (func(), error) {
	return func() { _ = g.l.Remove(pattern, id) }, g.l.Insert(pattern, id)
}

func (g *generic) match(topic string) (sum, n int) {
	g.l.Match(topic, func(id int) {
		sum += id
		n++
	})
	return sum, n
}

type mochiIndex struct{ x *mqtt.TopicsIndex }

func (m *mochiIndex) add(pattern string, id int) (func(), error) {
	client := strconv.Itoa(id) // mochi gives a client a message once; here each subscription is one
	m.x.Subscribe(client, packets.Subscription{Filter: pattern, Identifier: id})
	return func() { m.x.Unsubscribe(pattern, client) }, nil
}

func (m *mochiIndex) match(topic string) (sum, n int) {
	found := m.x.Subscribers(topic).Subscriptions
	for _, s := range found {
		sum += s.Identifier
	}
	return sum, len(found)
}

// natsList drives a Sublist from outside of its package. Its type of subscriptions has no
// name there, but Go infers it from the method expressions, so calls are as direct as
// nats-server's own. Only three fields are reached by their offset: the subject of a
// subscription, and its max, which nobody but a client reads, for the number; and the list of a result.
type natsList[S any] struct {
	l                     *server.Sublist
	insert, remove        func(*server.Sublist, *S) error
	subject, max, results uintptr
}

func newNATS(l *server.Sublist) matcher {
	return natsOf(l, (*server.Sublist).Insert, (*server.Sublist).Remove)
}

func natsOf[S any](l *server.Sublist, insert, remove func(*server.Sublist, *S) error) matcher {
	return &natsList[S]{
		l: l, insert: insert, remove: remove,
		subject: offset[S]("subject"), max: offset[S]("max"), results: offset[server.SublistResult]("psubs"),
	}
}

// offset returns that of a field; a nats-server that has none is one that this does not know.
func offset[S any](field string) uintptr {
	f, ok := reflect.TypeFor[S]().FieldByName(field)
	if !ok {
		panic("nats-server has no field " + field + " any more")
	}
	return f.Offset
}

func (n *natsList[S]) add(pattern string, id int) (func(), error) {
	s := new(S)
	*(*[]byte)(unsafe.Add(unsafe.Pointer(s), n.subject)) = []byte(pattern)
	*(*int64)(unsafe.Add(unsafe.Pointer(s), n.max)) = int64(id)
	return func() { _ = n.remove(n.l, s) }, n.insert(n.l, s)
}

func (n *natsList[S]) match(topic string) (sum, count int) {
	r := n.l.Match(topic)
	found := *(*[]*S)(unsafe.Add(unsafe.Pointer(r), n.results))
	for _, s := range found {
		sum += int(*(*int64)(unsafe.Add(unsafe.Pointer(s), n.max)))
	}
	return sum, len(found)
}
