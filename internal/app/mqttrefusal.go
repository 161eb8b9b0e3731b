package app

import (
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/explain"
	"github.com/thingd/thingd/internal/policy"
	"github.com/thingd/thingd/internal/registry"
)

// explained keeps a refusal for those of its account who ask why, and answers
// the reason with the ID to ask by. What a client is refused over and over is
// kept once a second; refusal is not called otherwise.
func (a *authority) explained(why string, n *explain.Note, refusal func() explain.Refusal) string {
	now := a.now().UTC()
	id, keep := a.identity.Refusals.Repeats(n, now)
	if keep {
		if id == "" {
			id = uuid.NewString()
		}
		r := refusal()
		r.ID, r.Time = id, now
		a.identity.Refusals.AddRepeated(n, r)
	}
	if id == "" {
		return why
	}
	return withID(why, id)
}

// withID puts an ID behind a reason, which is cut if a client would not be told
// the ID else, or not all of it.
func withID(why, id string) string {
	suffix := " (thingd explain " + id + ")"
	if most := broker.MostReason - len("the will: …") - len(suffix); len(why) > most {
		for most > 0 && !utf8.RuneStart(why[most]) {
			most--
		}
		why = why[:most] + "…"
	}
	return why + suffix
}

// noteInactive keeps that a certificate was refused which may not be used.
func (a *authority) noteInactive(c *registry.Certificate, clientID, why string) string {
	p := newPlaces(c.Account, c.Region)
	n := explain.Note{
		Account: c.Account, UserID: c.ID, ClientID: clientID, Action: broker.Connect.String(), Resource: p.of(broker.Connect, clientID), Basis: why,
	}
	return a.explained(why, &n, func() explain.Refusal {
		return explain.Refusal{Principal: c.ARN, Explain: func() policy.Explanation { return explain.Because(why) }}
	})
}

// refused is the decision that a device is refused something, kept for those
// who ask why. It is apart from Decide so that who is allowed pays nothing.
func (c *deviceClient) refused(st *deviceState, d policy.Decision, req policy.Request, info *broker.ConnectInfo) broker.Decision {
	n := explain.Note{Account: c.account, UserID: c.certificate, ClientID: info.ClientID, Action: req.Action, Resource: req.Resource, Basis: st}
	text := c.authority.explained(why(d, req.Action, req.Resource), &n, func() explain.Refusal {
		policies, asked := st.policies, req
		return explain.Refusal{
			Principal: c.arn(), Thing: st.thing, Keys: append(c.ownKeys(info), req.Keys...),
			Explain: func() policy.Explanation { return policy.ExplainIoT(policies, &asked) },
		}
	})
	return broker.Decision{Why: text, Cacheable: !st.timed}
}

// inactive is refused for a certificate that may not be used any more.
func (c *deviceClient) inactive(a broker.Action, resource string, st *deviceState, info *broker.ConnectInfo) broker.Decision {
	const reason = "the certificate is not active"
	n := explain.Note{Account: c.account, UserID: c.certificate, ClientID: info.ClientID, Action: a.String(), Resource: c.places.of(a, resource), Basis: reason}
	text := c.authority.explained(reason, &n, func() explain.Refusal {
		return explain.Refusal{
			Principal: c.arn(), Thing: st.thing, Keys: c.ownKeys(info),
			Explain: func() policy.Explanation { return explain.Because(reason) },
		}
	})
	return broker.Decision{Why: text, Cacheable: true}
}

// refused is the decision that somebody who signed is refused something, kept
// for those who ask why.
func (c *signedClient) refused(st *signedState, d policy.Decision, req policy.Request, info *broker.ConnectInfo) broker.Decision {
	n := explain.Note{Account: c.Account(), UserID: c.PrincipalID(), ClientID: info.ClientID, Action: req.Action, Resource: req.Resource, Basis: st}
	text := "User: " + c.request.Caller.ARN + " is " + why(d, req.Action, req.Resource)
	text = c.authority.explained(text, &n, func() explain.Refusal {
		asked := req
		return st.standing.Refusal(&asked)
	})
	return broker.Decision{Why: text, Cacheable: !st.standing.Timed}
}

// gone is refused for those whose key, user or role is no more.
func (c *signedClient) gone(a broker.Action, resource, message string, info *broker.ConnectInfo) broker.Decision {
	n := explain.Note{Account: c.Account(), UserID: c.PrincipalID(), ClientID: info.ClientID, Action: a.String(), Resource: c.places.of(a, resource), Basis: message}
	return broker.Decision{Why: c.authority.explained(message, &n, func() explain.Refusal {
		return explain.Refusal{Principal: c.request.Caller.ARN, Keys: connectionKeys(info), Explain: func() policy.Explanation {
			return explain.Because("the key, the user or the role that the client signed with may not be used any more")
		}}
	})}
}
