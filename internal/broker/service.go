package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/iotlog"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/topic"
)

// Service is iot-data's operations on messages and connections, and what iot
// tells of connections. Set the fields.
type Service struct {
	Broker func() *Broker // the present one
	// Thing says whether a thing is in the caller's account and region: an error
	// is what to answer.
	Thing func(ctx context.Context, name string) error
}

// Resolve implements awsapi.Resolver: who publishes a message to be retained
// needs iot:RetainPublish too.
func (s *Service) Resolve(ctx context.Context, op *awsapi.Operation, in any) (*awsapi.Resolution, error) {
	p, ok := in.(*iotdata.PublishRequest)
	if !ok {
		return nil, fmt.Errorf("broker: %s has nothing to resolve", op.Name)
	}
	resource := "arn:aws:iot:" + awsapi.Region(ctx) + ":" + awsapi.Account(ctx) + ":topic/" + p.Topic
	checks := []awsapi.Check{{Resource: resource}}
	if p.Retain != nil && *p.Retain {
		checks = append(checks, awsapi.Check{Action: RetainPublish.String(), Resource: resource})
	}
	return &awsapi.Resolution{Checks: checks}, nil
}

// here is the caller's space.
func (s *Service) here(ctx context.Context) *space {
	return s.Broker().space(awsapi.Account(ctx), awsapi.Region(ctx))
}

// Publish publishes a message. When it answers, a message of QoS 1 is durable.
func (s *Service) Publish(ctx context.Context, in *iotdata.PublishRequest) (*iotdata.PublishResponse, error) {
	b, sp := s.Broker(), s.here(ctx)
	m, err := message(ctx, b, sp.limits, &content{
		topic: in.Topic, payload: in.Payload, contentType: in.ContentType, responseTopic: in.ResponseTopic, correlation: in.CorrelationData,
		format: in.PayloadFormatIndicator, user: in.UserProperties, expiry: in.MessageExpiry,
	})
	if err != nil {
		return nil, err
	}
	if in.Qos != nil {
		m.QoS = byte(*in.Qos)
	}
	m.Retain = in.Retain != nil && *in.Retain
	if err := b.publishHTTP(ctx, sp, m); err != nil {
		return nil, err
	}
	ok, id := "OK", awsapi.RequestOf(ctx).ID
	return &iotdata.PublishResponse{Message: &ok, TraceId: &id}, nil
}

// publishHTTP publishes a message that came by HTTP, with all that a PUBLISH
// brings about.
func (b *Broker) publishHTTP(ctx context.Context, sp *space, m *Message) error {
	e := &entry{topic: m.Topic}
	if err := b.route(e, sp.limits); err != nil || e.unfit || m.Retain && e.reserved {
		return iotdata.ErrInvalidRequestException("The topic %s is reserved.", m.Topic)
	}
	if !sp.rates.in.take(b.nanos()) || m.Retain && !sp.mayRetain(m.Topic, m.Payload) {
		return iotdata.ErrThrottlingException("Rate exceeded")
	}
	b.Devices.Write(ctx, &iotlog.Entry{
		Account: m.Account, Region: m.Region, Level: iotlog.Info, TraceID: m.TraceID, Status: iotlog.Success, EventType: "Publish-In",
		Protocol: "HTTP", TopicName: m.Topic, Target: iotlog.Target{PrincipalID: m.PrincipalID, SourceIP: m.Source.Addr().String()},
	})
	if e.route != nil && e.route.Publish != nil {
		if err := e.route.Publish(ctx, m); err != nil {
			return err
		}
	}
	if e.ingest || e.route != nil && e.route.Private {
		return nil
	}
	return b.Publish(ctx, m)
}

// content is what Publish and SendDirectMessage have in common.
type content struct {
	topic                                   string
	payload                                 []byte
	contentType, responseTopic, correlation *string
	format, user                            *string
	expiry                                  *int64
}

// message makes a message of a request, or says what is wrong with it.
func message(ctx context.Context, b *Broker, l *Limits, in *content) (*Message, error) {
	if err := topic.ValidName(in.topic); err != nil {
		return nil, iotdata.ErrInvalidRequestException("The topic is invalid: %v", err)
	}
	if err := l.checkTopic(in.topic); err != nil {
		return nil, iotdata.ErrInvalidRequestException("The topic is invalid: %v", err)
	}
	if l.Payload > 0 && len(in.payload) > l.Payload {
		return nil, iotdata.ErrRequestEntityTooLargeException("The payload is larger than %d bytes.", l.Payload)
	}
	var p mqtt.PublishProperties
	if in.contentType != nil {
		p.ContentType = []byte(*in.contentType)
	}
	if in.responseTopic != nil {
		if err := topic.ValidName(*in.responseTopic); err != nil {
			return nil, iotdata.ErrInvalidRequestException("The response topic is invalid: %v", err)
		}
		p.ResponseTopic = []byte(*in.responseTopic)
	}
	if in.correlation != nil {
		data, err := base64.StdEncoding.DecodeString(*in.correlation)
		if err != nil {
			return nil, iotdata.ErrInvalidRequestException("The correlation data is not base64.")
		}
		p.Correlation = data
	}
	if in.format != nil {
		p.PayloadFormat = mqtt.Some[byte](0)
		if *in.format == "UTF8_DATA" {
			p.PayloadFormat.Value = 1
		}
	}
	if in.user != nil {
		user, err := userProperties(*in.user)
		if err != nil {
			return nil, iotdata.ErrInvalidRequestException("The user properties are invalid: %v", err)
		}
		p.User = user
	}
	m := &Message{Origin: originOf(ctx), Topic: in.topic, Payload: in.payload}
	if in.expiry != nil {
		if *in.expiry < 0 || *in.expiry > forever {
			return nil, iotdata.ErrInvalidRequestException("The message expiry is out of range.")
		}
		p.MessageExpiry = mqtt.Some(uint32(*in.expiry))
		m.Expires = b.clock().Add(l.messageExpiry(uint32(*in.expiry)))
	}
	if hasProps(&p) {
		m.Props = &p
	}
	return m, nil
}

// originOf is where a request's message comes from.
func originOf(ctx context.Context) Origin {
	req := awsapi.RequestOf(ctx)
	o := Origin{Account: awsapi.Account(ctx), Region: awsapi.Region(ctx), PrincipalID: req.Caller.UserID, TraceID: req.ID}
	if a, err := netip.ParseAddr(req.SourceIP); err == nil {
		o.Source = netip.AddrPortFrom(a, 0)
	}
	return o
}

// userProperties reads [{"name":"value"},…], in its order.
func userProperties(text string) ([]mqtt.UserProperty, error) {
	var list []map[string]string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, errors.New("they are no list of objects of one name and value each")
	}
	var out []mqtt.UserProperty
	for _, one := range list {
		if len(one) != 1 {
			return nil, errors.New("each object has one name and value")
		}
		for name, value := range one {
			out = append(out, mqtt.UserProperty{Name: []byte(name), Value: []byte(value)})
		}
	}
	return out, nil
}

// userText is the reverse of userProperties.
func userText(list []mqtt.UserProperty) ([]byte, error) {
	out := make([]map[string]string, len(list))
	for i, p := range list {
		out[i] = map[string]string{string(p.Name): string(p.Value)}
	}
	return json.Marshal(out)
}

// GetRetainedMessage answers the retained message of a topic.
func (s *Service) GetRetainedMessage(ctx context.Context, in *iotdata.GetRetainedMessageRequest) (*iotdata.GetRetainedMessageResponse, error) {
	sp := s.here(ctx)
	sp.mu.RLock()
	r, ok := sp.retained.Get(in.Topic)
	sp.mu.RUnlock()
	if !ok || r.m.expired(sp.broker.clock()) {
		return nil, iotdata.ErrResourceNotFoundException("No retained message exists for topic %s", in.Topic)
	}
	qos, modified := int64(r.m.QoS), r.modified.UnixMilli()
	out := &iotdata.GetRetainedMessageResponse{Topic: &r.m.Topic, Payload: r.m.Payload, Qos: &qos, LastModifiedTime: &modified}
	if r.m.Props != nil && len(r.m.Props.User) > 0 {
		text, err := userText(r.m.Props.User)
		if err != nil {
			return nil, fmt.Errorf("encode user properties: %w", err)
		}
		out.UserProperties = text
	}
	return out, nil
}

// page is how many of a list an answer has when the request does not say.
const (
	retainedPage      = 200
	subscriptionsPage = 20
)

// ListRetainedMessages answers the topics that have retained messages, in their
// order.
func (s *Service) ListRetainedMessages(ctx context.Context, in *iotdata.ListRetainedMessagesRequest) (*iotdata.ListRetainedMessagesResponse, error) {
	list, err := newPage(in.MaxResults, retainedPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	sp := s.here(ctx)
	now := sp.broker.clock()
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	sp.retained.All(func(name string, r *retained) {
		if !r.m.expired(now) {
			list.add(name)
		}
	})
	out := &iotdata.ListRetainedMessagesResponse{RetainedTopics: []iotdata.RetainedMessageSummary{}, NextToken: list.next()}
	for _, name := range list.names {
		r, _ := sp.retained.Get(name)
		qos, size, modified := int64(r.m.QoS), int64(len(r.m.Payload)), r.modified.UnixMilli()
		out.RetainedTopics = append(out.RetainedTopics, iotdata.RetainedMessageSummary{Topic: &r.m.Topic, PayloadSize: &size, Qos: &qos, LastModifiedTime: &modified})
	}
	return out, nil
}

// ListSubscriptions answers what a client has subscribed to, connected or not.
func (s *Service) ListSubscriptions(ctx context.Context, in *iotdata.ListSubscriptionsRequest) (*iotdata.ListSubscriptionsResponse, error) {
	list, err := newPage(in.MaxResults, subscriptionsPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	sp := s.here(ctx)
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	session := sp.sessions[in.ClientId]
	if session == nil {
		return nil, noClient(in.ClientId)
	}
	for name := range session.subs {
		list.add(name)
	}
	out := &iotdata.ListSubscriptionsResponse{Subscriptions: []iotdata.SubscriptionSummary{}, NextToken: list.next()}
	for _, name := range list.names {
		qos := int64(session.subs[name].qos)
		out.Subscriptions = append(out.Subscriptions, iotdata.SubscriptionSummary{TopicFilter: &name, Qos: &qos})
	}
	return out, nil
}

// checkClientID refuses what cannot be a client's id in a path.
func checkClientID(id string) error {
	if strings.HasPrefix(id, "$") {
		return iotdata.ErrInvalidRequestException("Client ids do not begin with $.")
	}
	return nil
}

func noClient(id string) error {
	return iotdata.ErrResourceNotFoundException("No connection or session of client %s was found", id)
}

// directTimeout is how long SendDirectMessage waits for a confirmation.
const directTimeout = 5 * time.Second

// SendDirectMessage sends a message to one client, which need not have
// subscribed, and waits for its PUBACK if that is asked for.
func (s *Service) SendDirectMessage(ctx context.Context, in *iotdata.SendDirectMessageRequest) (*iotdata.SendDirectMessageResponse, error) {
	if err := checkClientID(in.ClientId); err != nil {
		return nil, err
	}
	b, sp := s.Broker(), s.here(ctx)
	m, err := message(ctx, b, sp.limits, &content{
		topic: in.Topic, payload: in.Payload, contentType: in.ContentType, responseTopic: in.ResponseTopic, correlation: in.CorrelationData,
		format: in.PayloadFormatIndicator, user: in.UserProperties,
	})
	if err != nil {
		return nil, err
	}
	if reserved(m.Topic) {
		return nil, iotdata.ErrInvalidRequestException("The topic %s is reserved.", m.Topic)
	}
	c := sp.connection(in.ClientId)
	if c == nil {
		return nil, noClient(in.ClientId)
	}
	if !c.mayReceive(m.Topic) {
		return nil, iotdata.ErrForbiddenException("The client may not receive messages of topic %s", m.Topic)
	}
	if in.Confirmation == nil || !*in.Confirmation {
		b.send(c, m, nil)
		return sentDirectly(ctx), nil
	}
	wait := directTimeout
	if in.Timeout != nil {
		wait = time.Duration(*in.Timeout) * time.Second
	}
	m.QoS = 1
	confirmed := make(chan struct{}, 1)
	b.send(c, m, confirmed)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-confirmed:
		return sentDirectly(ctx), nil
	case <-t.C:
		return nil, iotdata.ErrGatewayTimeoutException("The client did not acknowledge the message in time")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func sentDirectly(ctx context.Context) *iotdata.SendDirectMessageResponse {
	ok, id := "OK", awsapi.RequestOf(ctx).ID
	return &iotdata.SendDirectMessageResponse{Message: &ok, TraceId: &id}
}
