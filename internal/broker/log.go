package broker

import "github.com/thingd/thingd/internal/iotlog"

// entryFor is a line of the IoT log about this connection.
func (c *conn) entryFor(kind string, level iotlog.Level, status, why string) *iotlog.Entry {
	e := &iotlog.Entry{
		Account: c.client.Account(), Region: c.client.Region(), Level: level, Status: status, EventType: kind, Protocol: "MQTT",
		Target:     iotlog.Target{ClientID: c.info.ClientID, PrincipalID: c.client.PrincipalID(), SourceIP: c.creds.Source.Addr().Unmap().String()},
		SourcePort: int(c.creds.Source.Port()), Reason: why,
	}
	e.ThingName, _ = c.client.Thing()
	return e
}

// write writes a line: a success at Info, a failure at Error.
func (c *conn) write(kind, topic, why string) {
	if c.broker.Devices == nil {
		return
	}
	e := c.entryFor(kind, iotlog.Info, iotlog.Success, "")
	if why != "" {
		e.Level, e.Status, e.Reason = iotlog.Error, iotlog.Failure, why
	}
	e.TopicName = topic
	c.broker.Devices.Write(c.broker.ctx, e)
}

func (c *conn) logConnect(why string)           { c.write("Connect", "", why) }
func (c *conn) logSubscribe(filter, why string) { c.write("Subscribe", filter, why) }

func (c *conn) logDisconnect(e *ending) {
	if c.broker.Devices == nil {
		return
	}
	entry := c.entryFor("Disconnect", iotlog.Info, iotlog.Success, string(e.reason))
	if e.reason != ClientInitiated {
		entry.Level, entry.Status, entry.Details = iotlog.Error, iotlog.Failure, e.why
	}
	c.broker.Devices.Write(c.broker.ctx, entry)
}

// logPublish writes that a message has come, or why it was refused. For messages
// that come in whether that is wanted is asked once a second.
func (c *conn) logPublish(topic, why string) {
	if c.broker.Devices == nil {
		return
	}
	if now := c.broker.wheel.seconds(); why == "" {
		if c.logAt != now {
			e := c.entryFor("Publish-In", iotlog.Info, iotlog.Success, "")
			c.logAt, c.logInfo = now, c.broker.Devices.Wants(c.broker.ctx, e.Account, e.Region, e.Level, e.Target)
		}
		if !c.logInfo {
			return
		}
	}
	c.write("Publish-In", topic, why)
}

// logRefused writes of a CONNECT that was refused.
func (c *conn) logRefused(account, region, principal, id string, r *Refusal) {
	if c.broker.Devices == nil {
		return
	}
	c.broker.Devices.Write(c.broker.ctx, &iotlog.Entry{
		Account: account, Region: region, Level: iotlog.Error, Status: iotlog.Failure, EventType: "Connect", Protocol: "MQTT",
		Target:     iotlog.Target{ClientID: id, PrincipalID: principal, SourceIP: c.creds.Source.Addr().Unmap().String()},
		SourcePort: int(c.creds.Source.Port()), Reason: r.Why,
	})
}
