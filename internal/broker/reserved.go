package broker

import (
	"context"
	"strings"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/topic"
)

// basicIngest is the prefix of topics that only a rule reads.
const basicIngest = "$aws/rules/"

// Reserved topics that clients may use, as filters (AWS IoT Developer Guide,
// "Reserved topics").
var (
	publishable = []string{
		"$aws/things/+/shadow/get", "$aws/things/+/shadow/update", "$aws/things/+/shadow/delete",
		"$aws/things/+/shadow/name/+/get", "$aws/things/+/shadow/name/+/update", "$aws/things/+/shadow/name/+/delete",
		"$aws/things/+/jobs/get", "$aws/things/+/jobs/start-next", "$aws/things/+/jobs/+/get", "$aws/things/+/jobs/+/update",
		"$aws/certificates/create/+", "$aws/certificates/create-from-csr/+", "$aws/provisioning-templates/+/provision/+",
		"$aws/rules/#", "$aws/things/+/defender/metrics/+",
		"$aws/things/+/streams/+/describe/+", "$aws/things/+/streams/+/get/+",
		"$aws/commands/things/+/executions/+/response", "$aws/commands/things/+/executions/+/response/+",
		"$aws/commands/clients/+/executions/+/response", "$aws/commands/clients/+/executions/+/response/+",
	}
	subscribable = []string{
		"$aws/things/+/shadow/#", "$aws/things/+/jobs/#", "$aws/things/+/defender/metrics/#", "$aws/things/+/streams/+/#",
		"$aws/things/+/tunnels/notify", "$aws/certificates/create/#", "$aws/certificates/create-from-csr/#",
		"$aws/provisioning-templates/+/provision/#", "$aws/events/#", "$aws/sitewise/asset-models/#",
		"$aws/commands/things/+/executions/+/request/#", "$aws/commands/clients/+/executions/+/request/#",
		"$aws/commands/things/+/executions/+/response/#", "$aws/commands/clients/+/executions/+/response/#",
	}
)

// formats are the last levels of topics that say how the payload is encoded.
var formats = []string{"json", "cbor"}

// reserved says whether a topic or filter is none that just anybody may use.
func reserved(t string) bool { return t != "" && t[0] == '$' }

// mayTell says whether clients may publish to a reserved topic.
func mayTell(name string) bool {
	for _, f := range publishable {
		if topic.Match(f, name, topic.Rules{}) {
			if strings.HasSuffix(f, "/+") {
				last := name[strings.LastIndexByte(name, '/')+1:]
				return last == formats[0] || last == formats[1]
			}
			return true
		}
	}
	return false
}

// mayListen says whether clients may subscribe to a filter.
func (l *Limits) mayListen(filter string) bool {
	switch {
	case !reserved(filter):
		return true
	case !strings.HasPrefix(filter, "$aws/"):
		return !l.ReservedStrict
	}
	// Devices in the field were dropped for + in place of the payload's format.
	if strings.HasPrefix(filter, "$aws/commands/") && strings.HasSuffix(filter, "/request/+") {
		return false
	}
	for _, f := range subscribable {
		if overlap(f, filter) {
			return true
		}
	}
	return false
}

// overlap says whether some topic matches both filters.
func overlap(a, b string) bool {
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		switch {
		case x == "#" || y == "#":
			return true
		case x != y && x != "+" && y != "+":
			return false
		case !moreA || !moreB:
			return moreA == moreB || restA == "#" || restB == "#"
		}
		a, b = restA, restB
	}
}

// route finds out what a topic that a client publishes to means beside its
// messages, and whether it may at all.
func (b *Broker) route(e *entry, l *Limits) error {
	e.reserved = reserved(e.topic)
	switch {
	case !e.reserved:
		return nil
	case !strings.HasPrefix(e.topic, "$aws/"):
		if l.ReservedStrict {
			return protocolError(mqtt.TopicNameInvalid, "topics that begin with $ are reserved")
		}
		e.reserved = false
		return nil
	case !mayTell(e.topic):
		if l.ReservedStrict {
			return protocolError(mqtt.TopicNameInvalid, "the topic is reserved, and nothing to publish to")
		}
		e.unfit = true
		return nil
	}
	e.ingest = strings.HasPrefix(e.topic, basicIngest)
	for i := range b.routes {
		if r := &b.routes[i]; topic.Match(r.filter, e.topic, topic.Rules{HashMatchesParent: true}) {
			e.route = &r.Route
			break
		}
	}
	return nil
}

// routed is a route with the filter of its topics.
type routed struct {
	filter string
	Route
}

// Handle gives the messages that clients publish to the topics of a filter to a
// route. Call it before Start. The filter is one of reserved topics
// ($aws/things/+/shadow/#); the first that matches is taken.
func (b *Broker) Handle(filter string, r Route) {
	b.routes = append(b.routes, routed{filter, r})
}

// Route is who takes messages that clients publish to reserved topics.
type Route struct {
	// Publish is called with each message, in the order in which its client sent
	// them, on that client's connection, which reads on when it returns: an
	// acknowledgement goes out after it. m and all in it are valid during the
	// call only. An error is logged and told to the client as a failure of the
	// server.
	Publish func(ctx context.Context, m *Message) error
	// Private keeps the messages from the broker: they are no messages for
	// subscribers (jobs).
	Private bool
}
