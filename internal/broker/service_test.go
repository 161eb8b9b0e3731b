package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/mqtt"
)

// asked is the context of a request of the account that the tests' clients are
// of.
func asked(t *testing.T) context.Context {
	return awsapi.WithRequest(t.Context(), &awsapi.Request{
		ID: "trace", Region: "us-east-1", SourceIP: "192.0.2.9", Time: time.Now(),
		Caller: &awsapi.Caller{Type: awsapi.User, Account: "123456789012", UserID: "AIDA"},
	})
}

// code is the code of an API's error.
func code(err error) string {
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func ptr[T any](v T) *T { return &v }

func TestPublishOperation(t *testing.T) {
	l := AWS()
	l.ConnectRatePerClient = 0
	r := newRig(t, l)
	var routed []string
	r.Handle("$aws/things/+/shadow/#", Route{Publish: func(_ context.Context, m *Message) error {
		routed = append(routed, m.Topic)
		return nil
	}})
	r.start()
	s, ctx := &Service{Broker: func() *Broker { return r.Broker }}, asked(t)
	c := r.client("c", mqtt.V5)
	c.subscribe("#", 1)
	out, err := s.Publish(ctx, &iotdata.PublishRequest{
		Topic: "a//b", Payload: []byte("x"), Qos: ptr[int64](1), Retain: ptr(true), ContentType: ptr("text/plain"), ResponseTopic: ptr("re"),
		CorrelationData: ptr("AQI="), PayloadFormatIndicator: ptr("UTF8_DATA"), UserProperties: ptr(`[{"k":"1"},{"a":"2"}]`), MessageExpiry: ptr[int64](60),
	})
	if err != nil || *out.Message != "OK" || *out.TraceId != "trace" {
		t.Fatalf("%+v %v", out, err)
	}
	p := c.message("a//b", "x", 1).Props
	if string(p.ContentType) != "text/plain" || string(p.ResponseTopic) != "re" || string(p.Correlation) != "\x01\x02" || p.PayloadFormat.Value != 1 ||
		len(p.User) != 2 || string(p.User[1].Name) != "a" || p.MessageExpiry.Value < 58 {
		t.Errorf("%+v", p)
	}
	if _, err := s.Publish(ctx, &iotdata.PublishRequest{Topic: "$aws/things/t/shadow/update", Payload: []byte("{}")}); err != nil || len(routed) != 1 {
		t.Errorf("routed %v, %v", routed, err)
	}
	for name, tt := range map[string]struct {
		in   *iotdata.PublishRequest
		code string
	}{
		"wildcard":    {&iotdata.PublishRequest{Topic: "a/#"}, "InvalidRequestException"},
		"depth":       {&iotdata.PublishRequest{Topic: "1/2/3/4/5/6/7/8/9"}, "InvalidRequestException"},
		"reserved":    {&iotdata.PublishRequest{Topic: "$SYS/x"}, "InvalidRequestException"},
		"size":        {&iotdata.PublishRequest{Topic: "a", Payload: make([]byte, 128<<10+1)}, "RequestEntityTooLargeException"},
		"correlation": {&iotdata.PublishRequest{Topic: "a", CorrelationData: ptr("?")}, "InvalidRequestException"},
		"properties":  {&iotdata.PublishRequest{Topic: "a", UserProperties: ptr(`{"a":"b"}`)}, "InvalidRequestException"},
		"response":    {&iotdata.PublishRequest{Topic: "a", ResponseTopic: ptr("a/+")}, "InvalidRequestException"},
	} {
		if _, err := s.Publish(ctx, tt.in); code(err) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}

	got, err := s.GetRetainedMessage(ctx, &iotdata.GetRetainedMessageRequest{Topic: "a//b"})
	if err != nil || string(got.Payload) != "x" || *got.Qos != 1 || string(got.UserProperties) != `[{"k":"1"},{"a":"2"}]` {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.GetRetainedMessage(ctx, &iotdata.GetRetainedMessageRequest{Topic: "none"}); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
	for i := range 25 {
		if _, err := s.Publish(ctx, &iotdata.PublishRequest{Topic: fmt.Sprintf("r/%02d", i), Payload: []byte("x"), Retain: ptr(true)}); err != nil {
			t.Fatal(err)
		}
	}
	var topics []string
	in := &iotdata.ListRetainedMessagesRequest{MaxResults: ptr[int64](10)}
	for {
		page, err := s.ListRetainedMessages(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page.RetainedTopics {
			topics = append(topics, *one.Topic)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(topics) != 26 || topics[0] != "a//b" || topics[25] != "r/24" {
		t.Errorf("%q", topics)
	}
	if _, err := s.ListRetainedMessages(ctx, &iotdata.ListRetainedMessagesRequest{NextToken: ptr("!")}); code(err) != "InvalidRequestException" {
		t.Error(err)
	}
}

func TestConnectionOperations(t *testing.T) {
	l := Standard()
	r := startRig(t, l)
	s, ctx := &Service{Broker: func() *Broker { return r.Broker }, Thing: func(_ context.Context, name string) error {
		if name == "x" {
			return iot.ErrResourceNotFoundException("Thing %s not found", name)
		}
		return nil
	}}, asked(t)
	for _, try := range []func(id string) error{
		func(id string) error {
			_, err := s.GetConnection(ctx, &iotdata.GetConnectionRequest{ClientId: id})
			return err
		},
		func(id string) error {
			_, err := s.ListSubscriptions(ctx, &iotdata.ListSubscriptionsRequest{ClientId: id})
			return err
		},
		func(id string) error {
			_, err := s.SendDirectMessage(ctx, &iotdata.SendDirectMessageRequest{ClientId: id, Topic: "a"})
			return err
		},
		func(id string) error {
			_, err := s.DeleteConnection(ctx, &iotdata.DeleteConnectionRequest{ClientId: id})
			return err
		},
	} {
		if err := try("nobody"); code(err) != "ResourceNotFoundException" {
			t.Error(err)
		}
		if err := try("$x"); code(err) != "InvalidRequestException" {
			t.Error(err)
		}
	}
	c, _ := r.persistent("c", mqtt.V5, true)
	c.subscribe("a/#", 1)
	c.subscribe("$share/g/b", 0)
	got, err := s.GetConnection(ctx, &iotdata.GetConnectionRequest{ClientId: "c", IncludeSocketInformation: ptr(true)})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	if !*got.Connected || *got.CleanSession || *got.KeepAliveDuration != 60 || *got.SessionExpiry != 3000 || *got.SourceIp != "192.0.2.7" ||
		*got.SourcePort != 1234 || got.ConnectedSince == nil || got.DisconnectedSince != nil || got.DisconnectReason != nil {
		t.Errorf("%s", text)
	}
	subs, err := s.ListSubscriptions(ctx, &iotdata.ListSubscriptionsRequest{ClientId: "c", MaxResults: ptr[int64](1)})
	if err != nil || len(subs.Subscriptions) != 1 || *subs.Subscriptions[0].TopicFilter != "$share/g/b" || subs.NextToken == nil {
		t.Fatalf("%+v %v", subs, err)
	}
	subs, err = s.ListSubscriptions(ctx, &iotdata.ListSubscriptionsRequest{ClientId: "c", NextToken: subs.NextToken})
	if err != nil || len(subs.Subscriptions) != 1 || *subs.Subscriptions[0].TopicFilter != "a/#" || *subs.Subscriptions[0].Qos != 1 || subs.NextToken != nil {
		t.Fatalf("%+v %v", subs, err)
	}

	if _, err := s.SendDirectMessage(ctx, &iotdata.SendDirectMessageRequest{ClientId: "c", Topic: "direct", Payload: []byte("0")}); err != nil {
		t.Fatal(err)
	}
	c.message("direct", "0", 0)
	answered := make(chan error, 1)
	go func() {
		_, err := s.SendDirectMessage(ctx, &iotdata.SendDirectMessageRequest{ClientId: "c", Topic: "direct", Payload: []byte("1"), Confirmation: ptr(true)})
		answered <- err
	}()
	c.message("direct", "1", 1)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if _, err := s.SendDirectMessage(ctx, &iotdata.SendDirectMessageRequest{ClientId: "c", Topic: "direct", Confirmation: ptr(true), Timeout: ptr[int64](1)}); code(err) != "GatewayTimeoutException" {
		t.Error(err)
	}
	c.message("direct", "", 1)
	r.rules.deny("iot:Receive secret")
	if _, err := s.SendDirectMessage(ctx, &iotdata.SendDirectMessageRequest{ClientId: "c", Topic: "secret"}); code(err) != "ForbiddenException" {
		t.Error(err)
	}

	data, err := s.GetThingConnectivityData(ctx, &iot.GetThingConnectivityDataRequest{ThingName: "c"})
	if err != nil || !*data.Connected || *data.DisconnectReason != "NONE" || *data.ClientId != "c" || *data.KeepAliveDuration != 60 || data.SourceIp != nil {
		t.Errorf("%+v %v", data, err)
	}
	data, err = s.GetThingConnectivityData(ctx, &iot.GetThingConnectivityDataRequest{ThingName: "never"})
	if err != nil || *data.Connected || *data.DisconnectReason != "UNKNOWN" || data.Timestamp.Unix() != 0 {
		t.Errorf("%+v %v", data, err)
	}
	if _, err := s.GetThingConnectivityData(ctx, &iot.GetThingConnectivityDataRequest{ThingName: "x"}); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
	if _, err := s.DeleteConnection(ctx, &iotdata.DeleteConnectionRequest{ClientId: "c"}); err != nil {
		t.Fatal(err)
	}
	if d := want[*mqtt.Disconnect](c); d.Reason != mqtt.AdministrativeAction {
		t.Errorf("DISCONNECT %v", d.Reason)
	}
	c.closed()
	r.settle(func(sp *space) bool { return !sp.clients.byID["c"].connected })
	got, err = s.GetConnection(ctx, &iotdata.GetConnectionRequest{ClientId: "c"})
	if err != nil || *got.Connected || *got.DisconnectReason != "API_INITIATED_DISCONNECT" || got.SourceIp != nil {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := s.DeleteConnection(ctx, &iotdata.DeleteConnectionRequest{ClientId: "c", CleanSession: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ListSubscriptions(ctx, &iotdata.ListSubscriptionsRequest{ClientId: "c"}); code(err) != "ResourceNotFoundException" {
		t.Error(err)
	}
}
