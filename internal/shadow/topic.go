package shadow

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/thingd/thingd/internal/shadow/document"
)

// Filters are the reserved topics that requests are published to.
func Filters() []string {
	return []string{"$aws/things/+/shadow/+", "$aws/things/+/shadow/name/+/+"}
}

// operation is what a request asks for.
type operation uint8

const (
	get operation = iota
	update
	del
)

// operations are the operations' topics, and their names in AWS's API.
var operations = [...]struct{ topic, action string }{
	get:    {"get", "GetThingShadow"},
	update: {"update", "UpdateThingShadow"},
	del:    {"delete", "DeleteThingShadow"},
}

// parseTopic finds the shadow and the operation that a topic is a request for. Not ok are all other topics, those
// of answers too.
func parseTopic(topic string) (thing, name string, op operation, ok bool) {
	thing, rest, ok := strings.Cut(strings.TrimPrefix(topic, "$aws/things/"), "/shadow/")
	if !ok || strings.Contains(thing, "/") {
		return "", "", 0, false
	}
	if named, is := strings.CutPrefix(rest, "name/"); is {
		if name, rest, ok = strings.Cut(named, "/"); !ok || name == "" {
			return "", "", 0, false
		}
	}
	for i := range operations {
		if operations[i].topic == rest {
			return thing, name, operation(i), strings.HasPrefix(topic, "$aws/things/")
		}
	}
	return "", "", 0, false
}

// topic is one of the shadow's: /update/delta.
func (i id) topic(end string) string {
	if i.name == "" {
		return "$aws/things/" + i.thing + "/shadow" + end
	}
	return "$aws/things/" + i.thing + "/shadow/name/" + i.name + end
}

// called is what AWS calls a shadow that it does not find.
func (i id) called() string {
	if i.name == "" {
		return i.thing
	}
	return i.thing + "~" + i.name
}

const (
	maxThing, maxName         = 128, 64
	thingPattern, namePattern = "[a-zA-Z0-9:_-]+", "[$a-zA-Z0-9:_-]+"
)

var (
	thingName  = regexp.MustCompile("^" + thingPattern + "$")
	shadowName = regexp.MustCompile("^" + namePattern + "$")
)

// check refuses names that no thing or shadow can have.
func (i id) check() error {
	for _, n := range []struct {
		what, name, pattern string
		max                 int
		valid               *regexp.Regexp
	}{
		{"ThingName", i.thing, thingPattern, maxThing, thingName},
		{"ShadowName", i.name, namePattern, maxName, shadowName},
	} {
		switch {
		case n.what == "ShadowName" && n.name == "": // the classic shadow
		case len(n.name) > n.max:
			return &document.Fault{Code: 400, Message: fmt.Sprintf("%s has a maximum length of %d", n.what, n.max)}
		case !n.valid.MatchString(n.name):
			return &document.Fault{Code: 400, Message: fmt.Sprintf("%s must match pattern %s", n.what, n.pattern)}
		}
	}
	return nil
}
