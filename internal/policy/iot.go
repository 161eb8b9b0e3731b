package policy

import "strings"

// DecideIoT judges a request of a device by the AWS IoT policies of its
// principal and thing groups: any Deny, else any Allow, else an implicit deny.
// There is nothing else in this flavour: no principals, boundaries or session
// policies. The resource is a full ARN; variables come from the request's
// keys.
//
// A subscription to $share/NAME/FILTER is looked at with and without its share
// prefix: a Deny on either denies, an Allow on either allows.
func DecideIoT(policies []*Policy, req *Request) Decision {
	d := decideIoT(policies, req, req.Resource)
	if d.Outcome == ExplicitDeny {
		return d
	}
	if filter, ok := unshared(req.Action, req.Resource); ok {
		if other := decideIoT(policies, req, filter); other.Outcome == ExplicitDeny || d.Outcome == ImplicitDeny {
			return other
		}
	}
	return d
}

func decideIoT(policies []*Policy, req *Request, resource string) Decision {
	var buf [64]byte
	e := env{keys: req.Keys, resource: newTarget(resource), action: req.Action, low: appendLower(buf[:0], req.Action)}
	e.code = actionCode(e.low)
	var v verdict
	switch {
	case scan(policies, &e, &v):
		return v.decision(ExplicitDeny, SourceIoT)
	case v.policy != nil:
		return v.decision(Allowed, SourceIoT)
	}
	return implicit(SourceIoT)
}

// unshared is the resource of a shared subscription without $share/NAME/.
func unshared(action, resource string) (string, bool) {
	const mark = ":topicfilter/"
	if !strings.EqualFold(action, "iot:Subscribe") {
		return "", false
	}
	t := newTarget(resource)
	if !t.isARN {
		return "", false
	}
	filter, ok := strings.CutPrefix(t.part(5), "topicfilter/$share/")
	if !ok {
		return "", false
	}
	_, filter, ok = strings.Cut(filter, "/")
	return resource[:t.start[5]-1] + mark + filter, ok
}
