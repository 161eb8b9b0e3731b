package shadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/shadow/document"
)

// Message is what a client has published to one of a shadow's topics.
type Message struct {
	Account, Region string
	Topic           string
	Payload         []byte
	// Who sent it: the client id is that of the connection.
	ClientID, PrincipalID string
	Source                netip.AddrPort
	TraceID               string
}

// request is one of a shadow's on its way.
type request struct {
	id
	operation
	payload []byte
	refused error
	entered bool // the gate
	from    iotlog.Target
	port    uint16
	topic   string
	trace   string

	answer chan answer // of a request over HTTP; nil: over MQTT, and answered there
}

// answer is what a request over HTTP gets.
type answer struct {
	payload []byte
	err     error
}

// Handle takes a message on one of Filters. What it asks for is done after Handle has returned, and answered on the
// shadow's topics; requests for one shadow are done in the order in which Handle was called. Messages that ask for
// nothing are passed over. It keeps nothing of m. It waits only when more is asked for than can be done, and fails when
// ctx ends meanwhile.
func (s *Service) Handle(ctx context.Context, m *Message) error {
	topic := strings.Clone(m.Topic) // of which the names are parts
	name, shadow, op, ok := parseTopic(topic)
	if !ok {
		return nil
	}
	r := &request{
		id:        id{strings.Clone(m.Account), strings.Clone(m.Region), name, shadow},
		operation: op, payload: bytes.Clone(m.Payload), topic: topic, trace: strings.Clone(m.TraceID),
		from: iotlog.Target{ClientID: strings.Clone(m.ClientID), PrincipalID: strings.Clone(m.PrincipalID)},
	}
	if m.Source.IsValid() {
		r.from.SourceIP, r.port = m.Source.Addr().Unmap().WithZone("").String(), m.Source.Port()
	}
	return s.put(ctx, r)
}

// put holds a request to the limits and gives it to its shadow's lane.
func (s *Service) put(ctx context.Context, r *request) error {
	if r.refused = r.check(); r.refused == nil {
		r.entered = s.gate.enter(r.thingOf(), r.from.ClientID, s.limits(r.account), s.Now())
		if !r.entered {
			r.refused = &document.Fault{Code: 429, Message: "Too many requests"}
		}
	}
	err := s.lanes.put(ctx, r, s.do)
	if err != nil && r.entered {
		s.gate.leave(r.thingOf(), r.from.ClientID)
	}
	return err
}

func (r *request) thingOf() thing { return thing{r.account, r.region, r.id.thing} }

// do does a request in its turn, and answers it.
func (s *Service) do(r *request) {
	payload, err := s.act(r)
	if r.entered {
		s.gate.leave(r.thingOf(), r.from.ClientID)
	}
	fault, _ := errors.AsType[*document.Fault](err)
	if err != nil && fault == nil {
		s.Log.Error("shadow request failed", "operation", operations[r.operation].action, "account", r.account, "region", r.region,
			"thing", r.id.thing, "shadow", r.name, "err", err)
		fault = &document.Fault{Code: 500, Message: "Internal service failure"}
		if q, err := document.ParseDelete(r.payload); err == nil {
			fault.Token = q.Token
		}
	}
	code := 200
	if fault != nil {
		code = fault.Code
	}
	s.metrics.requests.WithLabelValues(operations[r.operation].topic, strconv.Itoa(code)).Inc()
	s.record(r, fault)
	end := "/" + operations[r.operation].topic + "/accepted"
	if fault != nil {
		end = "/" + operations[r.operation].topic + "/rejected"
		payload = fault.Rejected(s.Now().Unix())
	}
	// Who asked over HTTP is told there that it was refused, and nobody else is.
	if fault == nil || r.answer == nil {
		s.publish(r.id, end, payload)
	}
	if r.answer != nil {
		a := answer{payload: payload}
		if fault != nil {
			a.err = fault
		}
		r.answer <- a
	}
}

func (s *Service) act(r *request) ([]byte, error) {
	if r.refused != nil {
		return nil, r.token(r.refused)
	}
	switch r.operation {
	case get:
		return s.get(r)
	case update:
		return s.update(r)
	}
	return s.delete(r)
}

// token gives a refusal the token of the request that it answers.
func (r *request) token(err error) error {
	f, ok := errors.AsType[*document.Fault](err)
	if !ok {
		return err
	}
	q, err := document.ParseDelete(r.payload)
	if err != nil {
		return f
	}
	return &document.Fault{Code: f.Code, Message: f.Message, Token: q.Token}
}

// missing refuses what is asked of a shadow that does not exist.
func (r *request) missing(q *document.Request) error {
	return &document.Fault{Code: 404, Message: fmt.Sprintf("No shadow exists with name: '%s'", r.called()), Token: q.Token}
}

func (s *Service) publish(i id, end string, payload []byte) {
	if s.Bus == nil {
		return
	}
	if err := s.Bus.Publish(s.ctx, i.account, i.region, i.topic(end), payload); err != nil {
		s.Log.Error("publish for a shadow", "account", i.account, "region", i.region, "topic", i.topic(end), "err", err)
	}
}

// record writes a request into the log of devices (AWS IoT Developer Guide, "UpdateThingShadow log entry").
func (s *Service) record(r *request, fault *document.Fault) {
	level := iotlog.Info
	if fault != nil {
		level = iotlog.Error
	}
	if !s.Devices.Wants(s.ctx, r.account, r.region, level, r.from) {
		return
	}
	e := &iotlog.Entry{
		Account: r.account, Region: r.region, Level: level, TraceID: r.trace, Status: iotlog.Success, EventType: operations[r.operation].action,
		Protocol: "MQTT", Target: r.from, SourcePort: int(r.port), TopicName: r.topic, ThingName: r.id.thing, ShadowName: r.name,
	}
	if r.name == "" {
		e.ShadowName = r.id.thing
	}
	if r.answer != nil {
		e.Protocol = "HTTP"
	}
	if fault != nil {
		e.Status, e.Reason, e.Details = iotlog.Failure, strconv.Itoa(fault.Code), fault.Message
	}
	s.Devices.Write(s.ctx, e)
}
