package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/thingd/thingd/internal/mqtt"
)

// idleBuffer is what a connection that waits reads into.
const idleBuffer = 512

// Serve reads from the connection that Connect began until it ends, and says why: nil after Disconnect, a *Refused for the
// server's DISCONNECT, else an error that is ErrConnectionLost, ErrClosed or a *mqtt.Error. Messages whose session does
// not last are answered with ErrConnectionLost then.
func (c *Client) Serve() error {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return ErrNotConnected
	}
	err := c.read(l)
	l.end(err)
	if l.timer != nil {
		l.timer.Stop()
	}

	c.mu.Lock()
	c.link = nil
	for _, f := range c.out {
		f.before, f.sent = f.before || f.sent, false
	}
	lasting := c.lasting()
	c.fail(ErrConnectionLost, func(f *flight) bool { return !lasting || f.qos == 0 })
	ended := l.ending
	c.mu.Unlock()
	close(l.done)

	if _, refused := errors.AsType[*Refused](l.err); ended && !refused {
		return nil
	}
	return l.err
}

// read is Serve's loop. It returns why the connection is over.
func (c *Client) read(l *link) error {
	in := make([]byte, idleBuffer)
	have := copy(in, l.in)
	if have < len(l.in) {
		in = append([]byte(nil), l.in...)
		have = len(in)
	}
	l.in = nil
	for {
		at, need, err := c.handleAll(l, in[:have])
		if err != nil {
			return err
		}
		if at > 0 {
			l.pinged.Store(false)
			c.flush() // acknowledgements may have made room
		}
		in, have = fit(in, at, have, need)
		n, err := l.conn.Read(in[have:])
		have += n
		if n > 0 {
			l.read.Store(now())
			continue
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", ErrConnectionLost, ErrServerClosed)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrConnectionLost, err)
		}
	}
}

// handleAll handles the packets that are whole and writes their acknowledgements. It says where the rest begins, and how large
// the packet is that it is of; 0 if that is not known.
func (c *Client) handleAll(l *link, in []byte) (at, need int, err error) {
	var lent *buffer // only while there is something to handle: a client that waits holds none
	defer func() {
		if lent != nil {
			lent.release()
		}
	}()
	for at < len(in) {
		h, n, err := mqtt.Frame(in[at:], c.o.MaxPacket)
		if err != nil {
			return at, 0, c.malformed(l, err)
		}
		if n == 0 || at+n+h.Remaining > len(in) {
			if n > 0 {
				need = n + h.Remaining
			}
			break
		}
		if lent == nil {
			lent = buffers.Get().(*buffer)
			lent.b = lent.b[:0]
		}
		if lent.b, err = c.handle(h, in[at+n:at+n+h.Remaining], &lent.p, lent.b); err != nil {
			return at, 0, c.malformed(l, err)
		}
		at += n + h.Remaining
	}
	if lent != nil && len(lent.b) > 0 {
		c.wmu.Lock()
		defer c.wmu.Unlock()
		return at, need, c.write(l, lent.b)
	}
	return at, need, nil
}

// fit drops what was handled of in and makes room for a packet of need bytes; a buffer larger than what an idle connection
// has is given back as soon as it is empty.
func fit(in []byte, at, have, need int) ([]byte, int) {
	rest := in[at:have]
	size := max(idleBuffer, need)
	switch {
	case have == len(in) && at > 0 && need <= 4*idleBuffer && len(in) < 8*idleBuffer:
		size = 8 * idleBuffer // the buffer was full of small packets: there is more where they came from
	case have > idleBuffer && len(in) == 8*idleBuffer:
		size = max(size, len(in)) // and there goes on to be
	}
	if size == len(in) || size < len(in) && len(rest) > size {
		return in, copy(in, rest)
	}
	out := make([]byte, size)
	return out, copy(out, rest)
}

// malformed tells a server of version 5 what was wrong with its packet.
func (c *Client) malformed(l *link, err error) error {
	if e, ok := errors.AsType[*mqtt.Error](err); ok && c.version == mqtt.V5 {
		c.wmu.Lock()
		_ = c.write(l, (&mqtt.Disconnect{Reason: e.Reason}).Append(nil, c.version))
		c.wmu.Unlock()
	}
	return err
}

// handle handles a packet and appends what it is answered with to acks. p is memory to decode into.
func (c *Client) handle(h mqtt.Header, body []byte, p *mqtt.Publish, acks []byte) ([]byte, error) {
	if h.Padded && c.version == mqtt.V5 {
		return acks, &mqtt.Error{Reason: mqtt.MalformedPacket, Text: h.Type.String() + ": the remaining length is not in its shortest form [MQTT-1.5.5-1]"}
	}
	switch h.Type {
	case mqtt.PUBLISH:
		if err := p.Decode(c.version, h.Flags, body); err != nil {
			return acks, err
		}
		if len(p.Topic) == 0 || p.Props.TopicAlias.Set { // we gave no topic alias maximum [MQTT-3.3.2-10]
			return acks, &mqtt.Error{Reason: mqtt.TopicAliasInvalid, Text: "PUBLISH: there is a topic alias, and none is taken [MQTT-3.3.2-10]"}
		}
		return c.message(p, acks), nil
	case mqtt.PUBACK, mqtt.PUBREC, mqtt.PUBREL, mqtt.PUBCOMP:
		a := mqtt.Ack{Kind: h.Type}
		if err := a.Decode(c.version, h.Flags, body); err != nil {
			return acks, err
		}
		return c.acknowledged(&a, acks), nil
	case mqtt.SUBACK:
		var s mqtt.Suback
		if err := s.Decode(c.version, h.Flags, body); err != nil {
			return acks, err
		}
		c.answer(s.PacketID, mqtt.SUBSCRIBE, answer{reasons: s.Reasons, text: string(s.Props.ReasonString)})
	case mqtt.UNSUBACK:
		var s mqtt.Unsuback
		if err := s.Decode(c.version, h.Flags, body); err != nil {
			return acks, err
		}
		c.answer(s.PacketID, mqtt.UNSUBSCRIBE, answer{reasons: s.Reasons, text: string(s.Props.ReasonString)})
	case mqtt.PINGRESP:
	case mqtt.DISCONNECT:
		var d mqtt.Disconnect
		if err := d.Decode(c.version, h.Flags, body); err != nil {
			return acks, err
		}
		return acks, &Refused{mqtt.DISCONNECT, d.Reason, string(d.Props.ReasonString)}
	default:
		return acks, &mqtt.Error{Reason: mqtt.ProtocolError, Text: h.Type.String() + " is none that a server sends here"}
	}
	return acks, nil
}

// message hands a message on and appends its acknowledgement.
func (c *Client) message(p *mqtt.Publish, acks []byte) []byte {
	switch p.QoS {
	case 0:
		c.o.Handle(p)
	case 1:
		c.o.Handle(p)
		acks = (&mqtt.Ack{Kind: mqtt.PUBACK, PacketID: p.PacketID}).Append(acks, c.version)
	case 2: // handed on at once, and its identifier remembered until PUBREL (4.3.3, method B)
		c.mu.Lock()
		_, again := c.received[p.PacketID]
		if !again {
			if c.received == nil {
				c.received = map[uint16]struct{}{}
			}
			c.received[p.PacketID] = struct{}{}
		}
		c.mu.Unlock()
		if !again {
			c.o.Handle(p)
		}
		acks = (&mqtt.Ack{Kind: mqtt.PUBREC, PacketID: p.PacketID}).Append(acks, c.version)
	}
	return acks
}

// acknowledged goes on with what the acknowledgement is about, and appends the answer to it.
func (c *Client) acknowledged(a *mqtt.Ack, acks []byte) []byte {
	switch a.Kind {
	case mqtt.PUBREL:
		c.mu.Lock()
		delete(c.received, a.PacketID)
		if len(c.received) == 0 {
			c.received = nil
		}
		c.mu.Unlock()
		return (&mqtt.Ack{Kind: mqtt.PUBCOMP, PacketID: a.PacketID}).Append(acks, c.version)
	case mqtt.PUBREC:
		if !a.Reason.Failed() {
			return c.release(a.PacketID, acks)
		}
		c.answer(a.PacketID, mqtt.PUBLISH, answer{reasons: []mqtt.Reason{a.Reason}, text: string(a.Props.ReasonString)})
	case mqtt.PUBACK:
		c.answer(a.PacketID, mqtt.PUBLISH, answer{reasons: []mqtt.Reason{a.Reason}, text: string(a.Props.ReasonString)})
	case mqtt.PUBCOMP:
		// PacketIdentifierNotFound: the server was done with it before.
		c.answer(a.PacketID, mqtt.PUBREL, answer{})
	}
	return acks
}

// release is the second half of QoS 2: from PUBREC on the message is the server's, and PUBREL is what is repeated.
func (c *Client) release(id uint16, acks []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	rel := mqtt.Ack{Kind: mqtt.PUBREL, PacketID: id}
	for _, f := range c.out {
		if f.id == id && f.qos == 2 {
			f.kind, f.packet, f.sent = mqtt.PUBREL, rel.Append(nil, c.version), true
			return append(acks, f.packet...)
		}
	}
	if c.version == mqtt.V5 {
		rel.Reason = mqtt.PacketIdentifierNotFound
	}
	return rel.Append(acks, c.version)
}

// answer answers the packet of that identifier and kind. One that is about nothing is passed over.
func (c *Client) answer(id uint16, kind mqtt.Type, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.out {
		if f.id == id && f.kind == kind {
			a.reasons = append([]mqtt.Reason(nil), a.reasons...)
			c.remove(f)
			f.answer <- a
			return
		}
	}
}
