package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/topic"
)

// refuse is an answer to CONNECT.
func refuse(code mqtt.Reason, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Why: fmt.Sprintf(format, args...)}
}

func (c *conn) onConnect(f *fanout, flags byte, body []byte) error {
	if c.session != nil { // [MQTT-3.1.0-2]
		return protocolError(mqtt.ProtocolError, "a second CONNECT [MQTT-3.1.0-2]")
	}
	var p mqtt.Connect
	err := p.Decode(0, flags, body)
	if err == nil && c.padded && p.Version == mqtt.V5 {
		err = errPadded
	}
	if err != nil {
		return c.badConnect(f, &p, err)
	}
	c.version = p.Version
	c.problems = p.Props.RequestProblem.Or(true)
	if x := p.Props.MaximumPacket; x.Set {
		c.maxPacket = int(min(x.Value, maxConnect))
	}
	var refused *Refusal
	switch err := c.connect(f, &p); {
	case err == nil:
	case errors.As(err, &refused):
		c.refused(f, &p, refused)
	default:
		c.broker.Log.Error("admit a client", "source", c.creds.Source, "err", err)
		c.refused(f, &p, refuse(mqtt.ServerUnavailable, "the server has failed"))
	}
	return nil
}

// badConnect answers a CONNECT that is none, as far as it can be answered.
func (c *conn) badConnect(f *fanout, p *mqtt.Connect, err error) error {
	e, ok := errors.AsType[*mqtt.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Reason == mqtt.UnsupportedProtocolVersion: // [MQTT-3.1.2-2]
		c.version = mqtt.V311
		if p.Version > mqtt.V311 {
			c.version = mqtt.V5
		}
	case p.Version == mqtt.V5 || e.Reason == mqtt.ClientIdentifierNotValid:
		c.version = p.Version
	default: // 3.1.1 knows no answer to this [3.1.1: MQTT-3.1.4-1]
		return err
	}
	c.refused(f, p, &Refusal{Code: e.Reason, Why: e.Text})
	return nil
}

// refused answers a CONNECT with its refusal and ends the connection.
// [MQTT-3.1.4-6]
func (c *conn) refused(f *fanout, p *mqtt.Connect, r *Refusal) {
	if b := c.broker; c.limits == nil && b.Limits != nil { // it is not known whose client this is, or not for sure
		c.problems = c.problems && !b.Limits(r.Account).Unexplained
	}
	if ack := (mqtt.Connack{Reason: r.Code}); !r.Silent {
		_, told := r.Code.Connack3()
		if c.version == mqtt.V5 {
			told = true
			if c.problems {
				ack.Props.ReasonString = reasonString(r.Why, c.maxPacket-besideReason)
			}
		}
		if told {
			f.packet(c, &ack)
		}
	}
	reason := ClientError
	switch r.Code {
	case mqtt.NotAuthorized, mqtt.BadUserNameOrPassword, mqtt.Banned:
		reason = AuthError
	case mqtt.QuotaExceeded, mqtt.ConnectionRateExceeded, mqtt.ServerBusy:
		reason = Throttled
	case mqtt.ServerUnavailable:
		reason = ServerError
	}
	c.connectFailed(p, r, reason)
	c.end(reason, 0, r.Why)
}

// connect admits a client: who it is, what it may, its session. An error is a
// *Refusal, or the server's.
func (c *conn) connect(f *fanout, p *mqtt.Connect) error {
	if len(p.Props.AuthMethod) > 0 { // [MQTT-4.12.0-1]
		return refuse(mqtt.BadAuthenticationMethod, "no authentication method is supported")
	}
	b := c.broker
	client, err := b.Authority.Admit(b.ctx, c.creds, p)
	if err != nil {
		return err
	}
	c.client = client
	sp := b.space(client.Account(), client.Region())
	c.limits = sp.limits
	c.problems = c.problems && !c.limits.Unexplained
	assigned, err := c.identify(p)
	if err != nil {
		return err
	}
	if err := c.checkConnect(sp, p); err != nil {
		return err
	}
	c.take(p)
	if d := c.decide(Connect, c.info.ClientID, ""); !d.Allowed {
		return refuse(mqtt.NotAuthorized, "%s", d.Why)
	}
	if err := c.takeWill(p); err != nil {
		return err
	}
	present, err := sp.join(c, p.CleanStart, func(present bool) { c.greet(f, p, present, assigned) })
	if err != nil {
		return err
	}
	c.joined(f, present)
	// Again, since whoever has ended the principal's connections meanwhile has not
	// found this one among them.
	if d := c.decide(Connect, c.info.ClientID, ""); !d.Allowed {
		c.end(ForbiddenAccess, mqtt.NotAuthorized, d.Why)
	}
	return nil
}

// identify settles the client id. It reports whether the server has made it up.
func (c *conn) identify(p *mqtt.Connect) (assigned bool, err error) {
	id := string(p.ClientID)
	switch {
	case id == "" && c.version < mqtt.V5 && !p.CleanStart: // [3.1.1: MQTT-3.1.3-8]
		return false, refuse(mqtt.ClientIdentifierNotValid, "a client without an id asks for a session that lasts")
	case id == "": // [MQTT-3.1.3-6]
		id, assigned = uuid.NewString(), true
	case c.limits.ClientID > 0 && len(id) > c.limits.ClientID:
		return false, refuse(mqtt.ClientIdentifierNotValid, "the client id is longer than %d bytes", c.limits.ClientID)
	case c.limits.ReservedStrict && strings.HasPrefix(id, "$"):
		return false, refuse(mqtt.ClientIdentifierNotValid, "client ids that begin with $ are reserved")
	}
	c.info = ConnectInfo{ClientID: id, Source: c.creds.Source, ServerName: c.creds.ServerName}
	return assigned, nil
}

// checkConnect holds the CONNECT against the account's limits.
func (c *conn) checkConnect(sp *space, p *mqtt.Connect) error {
	l := c.limits
	switch {
	case c.version == mqtt.V31 && !l.MQTT31:
		return refuse(mqtt.UnsupportedProtocolVersion, "MQTT 3.1 is not supported")
	case p.HasWill && p.Will.QoS > l.MaxQoS: // [MQTT-3.2.2-12]
		return refuse(mqtt.QoSNotSupported, "QoS %d of the will is not supported", p.Will.QoS)
	case p.HasWill && l.Payload > 0 && len(p.Will.Payload) > l.Payload:
		return refuse(mqtt.QuotaExceeded, "the will's payload is larger than %d bytes", l.Payload)
	case !sp.rates.connect.take(c.broker.nanos()):
		return refuse(mqtt.QuotaExceeded, "the account opens more than %d connections a second", l.ConnectRate)
	}
	return nil
}

// take takes over what the CONNECT says about the connection.
func (c *conn) take(p *mqtt.Connect) {
	l := c.limits
	c.keepAlive = l.keepAlive(p.KeepAlive, c.version)
	switch {
	case c.version == mqtt.V5:
		c.expiry = l.expiry(p.Props.SessionExpiry.Or(0))
	case !p.CleanStart: // as 3.1.1 has it: forever, if there is no limit
		c.expiry = l.expiry(forever)
	}
	c.maxPacket = 1 << 30
	if x := p.Props.MaximumPacket; x.Set {
		c.maxPacket = int(min(x.Value, 1<<30))
	}
	if l.Packet > 0 {
		c.maxIn = l.Packet
		if l.Payload > 0 {
			c.maxIn += 5 // the fixed header does not count there
		}
	} else {
		c.maxIn = 0
	}
	c.window = int(p.Props.ReceiveMaximum.Or(65535)) // [MQTT-3.3.4-9]
	if l.Inflight > 0 {
		c.window = min(c.window, l.Inflight)
	}
	if l.OutBuffer > 0 {
		c.out.limit(l.OutBuffer)
	}
	if n := min(p.Props.TopicAliasMax.Or(0), l.AliasesOut); n > 0 { // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
		c.out.aliases, c.out.longest = &mqtt.Aliases{Most: n}, c.maxPacket
	}
	c.info.Persistent = c.expiry > 0
	if p.HasWill {
		c.info.WillTopic = string(p.Will.Topic)
	}
	c.pushes.rate = l.PublishRate
	c.began = c.broker.Now()
}

// takeWill checks the will as the PUBLISH that it may become.
func (c *conn) takeWill(p *mqtt.Connect) error {
	if !p.HasWill {
		return nil
	}
	t := c.info.WillTopic
	if err := topic.ValidName(t); err != nil {
		return refuse(mqtt.TopicNameInvalid, "the will's topic: %v", err)
	}
	if err := c.limits.checkTopic(t); err != nil {
		return refuse(mqtt.TopicNameInvalid, "the will's topic: %v", err)
	}
	if reserved(t) && (c.limits.ReservedStrict || strings.HasPrefix(t, "$aws/")) {
		return refuse(mqtt.TopicNameInvalid, "the will's topic is reserved")
	}
	if d := c.decide(Publish, t, ""); !d.Allowed {
		return refuse(mqtt.NotAuthorized, "the will: %s", d.Why)
	}
	if p.Will.Retain {
		if d := c.decide(RetainPublish, t, ""); !d.Allowed {
			return refuse(mqtt.NotAuthorized, "the will: %s", d.Why)
		}
	}
	w := &p.Will
	m := &Message{Origin: c.origin(), Topic: t, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain, Props: &mqtt.PublishProperties{
		PayloadFormat: w.Props.PayloadFormat, MessageExpiry: w.Props.MessageExpiry, ContentType: w.Props.ContentType,
		ResponseTopic: w.Props.ResponseTopic, Correlation: w.Props.Correlation, User: w.Props.User,
	}}
	c.will = m.keep()
	if c.limits.WillDelay {
		c.willDelay = min(w.Props.Delay.Or(0), c.expiry) // [MQTT-3.1.3-9]
	}
	return nil
}

// origin is where this connection's messages come from.
func (c *conn) origin() Origin {
	return Origin{
		Account: c.client.Account(), Region: c.client.Region(), ClientID: c.info.ClientID,
		PrincipalID: c.client.PrincipalID(), Source: c.creds.Source,
	}
}

// greet answers the CONNECT, while nobody else can send anything yet.
// [MQTT-3.2.0-1]
func (c *conn) greet(f *fanout, p *mqtt.Connect, present, assigned bool) {
	ack := mqtt.Connack{SessionPresent: present}
	if c.version == mqtt.V5 {
		ack.Props = c.properties(p)
		if assigned {
			ack.Props.AssignedClientID = []byte(c.info.ClientID) // [MQTT-3.2.2-16]
		}
	}
	f.packet(c, &ack)
	c.live.Store(true)
}

// joined begins to send what waits.
func (c *conn) joined(f *fanout, present bool) {
	b := c.broker
	c.active.Store(b.wheel.seconds())
	if c.keepAlive > 0 {
		b.wheel.set(&c.alarm, b.wheel.seconds()+(int64(c.keepAlive)*3+1)/2+1)
	} else {
		b.wheel.clear(&c.alarm)
	}
	if !c.creds.Until.IsZero() {
		c.until.ring = func() { c.end(WebSocketTTL, mqtt.MaximumConnectTime, "the connection has lived as long as it may") }
		b.wheel.set(&c.until, b.wheel.after(c.creds.Until.Sub(b.Now())))
	}
	c.connected(f)
	c.session.resume(c, f)
	if present {
		c.session.pumpGroups()
	}
}

// properties are those of the CONNACK: what the server does not do as the
// standard has it unless told otherwise.
func (c *conn) properties(p *mqtt.Connect) mqtt.ConnackProperties {
	l := c.limits
	out := mqtt.ConnackProperties{TopicAliasMax: mqtt.Some(l.TopicAliases)}
	if l.ReceiveMaximum > 0 {
		out.ReceiveMaximum = mqtt.Some(l.ReceiveMaximum)
	}
	if c.expiry != p.Props.SessionExpiry.Or(0) {
		out.SessionExpiry = mqtt.Some(c.expiry)
	}
	if c.keepAlive != p.KeepAlive {
		out.ServerKeepAlive = mqtt.Some(c.keepAlive) // [MQTT-3.2.2-21]
	}
	if l.Packet > 0 {
		out.MaximumPacket = mqtt.Some(uint32(l.Packet))
	}
	if l.MaxQoS < 2 {
		out.MaximumQoS = mqtt.Some(l.MaxQoS) // [MQTT-3.2.2-9]
	}
	if l.ReservedStrict { // AWS says all of it
		out.RetainAvailable, out.WildcardAvailable = mqtt.Some(true), mqtt.Some(true)
		out.SharedAvailable = mqtt.Some(true)
	}
	if !l.SubscriptionIDs {
		out.SubscriptionIDs = mqtt.Some(false)
	}
	return out
}

// keepAlive is the time that holds for a client that asks for v.
func (l *Limits) keepAlive(v uint16, of mqtt.Version) uint16 {
	switch {
	case l.KeepAliveTold && of < mqtt.V5:
		return v
	case l.KeepAliveMax > 0 && (v == 0 || v > l.KeepAliveMax):
		return l.KeepAliveMax
	case v > 0 && v < l.KeepAliveMin:
		return l.KeepAliveMin
	}
	return v
}

// expiry is the session expiry interval for a client that asks for v.
func (l *Limits) expiry(v uint32) uint32 {
	if l.SessionExpiry > 0 {
		return min(v, uint32(l.SessionExpiry/time.Second))
	}
	return v
}

// checkTopic holds a topic or filter (without its share) against the limits.
func (l *Limits) checkTopic(t string) error {
	if strings.HasPrefix(t, basicIngest) { // the prefix and the rule's name do not count
		if _, rest, ok := strings.Cut(t[len(basicIngest):], "/"); ok {
			t = rest
		} else {
			t = ""
		}
	}
	if l.Topic > 0 && len(t) > l.Topic {
		return fmt.Errorf("it is longer than %d bytes", l.Topic)
	}
	if l.Slashes > 0 && strings.Count(t, "/") > l.Slashes {
		return fmt.Errorf("it has more than %d slashes", l.Slashes)
	}
	return nil
}
