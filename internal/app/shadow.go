package app

import (
	"context"

	"github.com/thingd/thingd/internal/broker"
	"github.com/thingd/thingd/internal/config"
	"github.com/thingd/thingd/internal/shadow"
)

// shadowLimits are AWS's, with the size that is set; accounts with the limits of
// the MQTT standards may ask as often as they like.
func (a *App) shadowLimits() func(account string) shadow.Limits {
	aws := shadow.AWS()
	aws.State = a.cfg.ShadowBytes()
	sets, err := a.cfg.MQTTLimits()
	if err != nil { // which Check has told
		return func(string) shadow.Limits { return aws }
	}
	return func(account string) shadow.Limits {
		if sets.Of(account) == config.LimitsMQTT {
			return shadow.Limits{State: aws.State}
		}
		return aws
	}
}

// bus lets domains publish by the broker, as AWS's services do: with QoS 1, so
// that persistent sessions miss nothing.
type bus struct{ broker func() *broker.Broker } // nil as long as nobody can be connected

// Publish is shadow.Bus and registry.Events.
func (b bus) Publish(ctx context.Context, account, region, topic string, payload []byte) error {
	now := b.broker()
	if now == nil {
		return nil
	}
	return now.Publish(ctx, &broker.Message{Origin: broker.Origin{Account: account, Region: region}, Topic: topic, Payload: payload, QoS: 1})
}

// routeShadows gives the messages to the topics of shadows to those that keep
// them. Wills do not come this way, as on AWS, where they change no shadow.
func routeShadows(b *broker.Broker, s *shadow.Service) {
	route := broker.Route{Publish: func(ctx context.Context, m *broker.Message) error {
		return s.Handle(ctx, &shadow.Message{
			Account: m.Account, Region: m.Region, Topic: m.Topic, Payload: m.Payload,
			ClientID: m.ClientID, PrincipalID: m.PrincipalID, Source: m.Source, TraceID: m.TraceID,
		})
	}}
	for _, filter := range shadow.Filters() {
		b.Handle(filter, route)
	}
}
