package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
	"github.com/thingd/thingd/internal/topic"
)

// host is what a device's script sees of it. All methods are called on the device's goroutine.
type host device

var _ script.Host = (*host)(nil)

func (h *host) device() *device { return (*device)(h) }

// Now is the run's clock.
func (h *host) Now() time.Time { return h.run.clock.Now() }

// Sleep waits on the run's clock.
func (h *host) Sleep(ctx context.Context, d time.Duration) error {
	return h.device().sleep(ctx, h.run.clock.Now().Add(d))
}

// Receive handles messages until ctx ends.
func (h *host) Receive(ctx context.Context) error { return h.device().receiveUntil(ctx) }

// Glob is the run's.
func (h *host) Glob() script.Glob { return h.run.o.Glob }

// Log writes a line.
func (h *host) Log(level, text string) { h.device().log(level, text) }

// Metric takes a value of a metric of the model's own; one that cannot be is told in the log.
func (h *host) Metric(m script.Metric) {
	if !h.run.metrics.add(m) {
		h.device().log("warn", fmt.Sprintf("metric %q is not taken: its name is a built-in one's or of another kind, there are %d already, or the value is no number", cut(m.Name, 100), maxMetrics))
	}
}

// Once has do called by one device of the run.
func (h *host) Once(ctx context.Context, name string, do func() (json.RawMessage, error)) (json.RawMessage, error) {
	return h.run.once.do(ctx, h.run.clock, h.number, name, do)
}

// Connected says whether there is a connection.
func (h *host) Connected() bool {
	return h.link != nil && h.link.connected() || h.web != nil
}

// Connect connects, if the device is not connected, and waits for it.
func (h *host) Connect(ctx context.Context) error {
	if h.run.o.Model.Protocol == nil {
		return errors.New("the model has no protocol")
	}
	return h.device().connect(ctx)
}

// Disconnect says goodbye. The device stays away until Connect.
func (h *host) Disconnect(ctx context.Context) error {
	if h.link != nil {
		h.link.stop(ctx)
	}
	return nil
}

// connect expands the protocol's templates at its first call.
func (d *device) connect(ctx context.Context) error {
	if d.run.o.Model.Protocol.Type == "https" {
		if d.web != nil {
			return nil
		}
		var err error
		d.web, err = newWeb(d)
		return err
	}
	if d.link == nil {
		l, err := newLink(d, d.early)
		if err != nil {
			return err
		}
		d.link, d.early = l, nil
	}
	d.link.start()
	return d.link.await(ctx)
}

// Subscribe subscribes; before the device is connected for the first time, as soon as it is.
func (h *host) Subscribe(ctx context.Context, filter string, qos byte) error {
	d := h.device()
	if p := d.run.o.Model.Protocol; p == nil || p.Type == "https" {
		return errors.New("the model's protocol takes no messages: there is nothing to subscribe to")
	}
	if err := validFilter(filter); err != nil {
		return fmt.Errorf("subscribe %.200q: %w", filter, err)
	}
	s := mqtt.Subscription{Filter: []byte(filter), QoS: min(qos, 2)}
	if d.link == nil {
		if len(d.early) >= maxFilters {
			return fmt.Errorf("subscribe: there are %d filters already", maxFilters)
		}
		d.early = append(d.early, s)
		return nil
	}
	if !d.link.addFilter(s) {
		return fmt.Errorf("subscribe: there are %d filters already", maxFilters)
	}
	return d.ask(ctx, func(ctx context.Context) error {
		refused, err := d.link.subscribe(ctx, []mqtt.Subscription{s})
		if err == nil && len(refused) > 0 {
			err = refused[0]
		}
		return err
	})
}

func validFilter(filter string) error {
	if _, rest, ok, err := topic.Share(filter); err != nil {
		return err
	} else if ok {
		filter = rest
	}
	return topic.ValidFilter(filter)
}

// Unsubscribe takes a subscription back.
func (h *host) Unsubscribe(ctx context.Context, filter string) error {
	d := h.device()
	if d.link == nil {
		return nil
	}
	d.link.dropFilter(filter)
	return d.ask(ctx, func(ctx context.Context) error { return d.link.client.Unsubscribe(ctx, filter) })
}

// ask waits for the connection and asks over it. When it breaks meanwhile, the filters are as they are to be once it is there
// again: that is waited for.
func (d *device) ask(ctx context.Context, question func(context.Context) error) error {
	if err := d.link.await(ctx); err != nil {
		return err
	}
	err := question(ctx)
	if errors.Is(err, client.ErrConnectionLost) || errors.Is(err, client.ErrNotConnected) {
		return d.link.await(ctx)
	}
	if err != nil && ctx.Err() == nil {
		err = d.failed(err)
	}
	return err
}

// failed counts an error that is handed to the script.
func (d *device) failed(err error) error {
	d.fault(err)
	return &counted{err}
}

const (
	// ackTimeout is how long a message may wait for its acknowledgement while there is a connection.
	ackTimeout = time.Minute
	// hintAfter is from when on, in virtual time, the person is told why that may be.
	hintAfter = ackTimeout / 12
)

// Publish sends a message.
func (h *host) Publish(ctx context.Context, m script.Message) error {
	return h.device().publish(ctx, m)
}

func (d *device) publish(ctx context.Context, m script.Message) error {
	if d.run.o.Model.Protocol == nil {
		return errors.New("publish: the model has no protocol")
	}
	if err := topic.ValidName(m.Topic); err != nil {
		return fmt.Errorf("publish to %.200q: %w", m.Topic, err)
	}
	if d.link == nil && d.web == nil {
		if err := d.connect(ctx); err != nil { // a stage init that publishes
			return err
		}
	}
	d.note(m.Topic, m.Payload)
	if d.web != nil {
		return d.web.publish(ctx, m)
	}
	p := &mqtt.Publish{Topic: []byte(m.Topic), Payload: m.Payload, QoS: min(m.QoS, 2), Retain: m.Retain, Props: publishProperties(m.Properties)}
	for {
		if err := d.link.await(ctx); err != nil {
			return err
		}
		if p.QoS == 0 && d.run.o.Run.Network.Loss > 0 && d.loss.Float64() < d.run.o.Run.Network.Loss {
			d.run.metrics.vanished.Add(1) // the device does not know
			return nil
		}
		begin := time.Now()
		d.sentOn, _ = d.link.breaks()
		err := d.send(p)
		switch {
		case err == nil:
			d.published.Add(1)
			if p.QoS > 0 {
				d.acknowledged++
			}
			d.run.metrics.published(time.Since(begin))
			return nil
		case errors.Is(err, client.ErrNotConnected), p.QoS == 0 && errors.Is(err, client.ErrConnectionLost):
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			select { // the link has yet to see it
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue // it did not go out
		case errors.Is(err, client.ErrConnectionLost), errors.Is(err, client.ErrSessionLost), errors.Is(err, errNoAck):
			// It may have arrived. The device goes on, and the report says so.
			d.lose(m.Topic, err)
			return nil
		case d.link.gaveUp() != nil, d.run.hard.Err() != nil:
			d.lose(m.Topic, err)
			return &counted{err}
		}
		return d.failedAs(err, fmt.Errorf("publish to %s: %w", m.Topic, err)) // counted without the topic, which may be the device's own
	}
}

var errNoAck = fmt.Errorf("not acknowledged within %s", ackTimeout)

// send sends a message, and waits for the acknowledgement even when the run is being stopped: what is under way is to arrive.
func (d *device) send(p *mqtt.Publish) error {
	begin := time.Now()
	l := d.link // which the device lets go at its end, while the timer's function may still run
	l.asks("publish to ", p.Topic)
	if p.QoS == 0 {
		return l.client.Publish(d.run.hard, p)
	}
	ctx, cancel := context.WithCancelCause(d.run.hard)
	defer cancel(nil)
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		if err := l.gaveUp(); err != nil {
			cancel(err)
			return
		}
		if up, connected := l.upFor(); connected && up >= ackTimeout && time.Since(begin) >= ackTimeout {
			cancel(errNoAck)
			return
		} else if connected && up >= hintAfter && time.Since(begin) >= hintAfter {
			d.run.hint(throttledBy(errNoAck))
		}
		timer.Reset(hintAfter)
	})
	timer.Reset(hintAfter) // only now, for its function resets it too
	defer timer.Stop()
	err := l.client.Publish(ctx, p)
	l.answered(err)
	return err
}

// lose counts a message that was sent and not acknowledged.
func (d *device) lose(topic string, err error) {
	d.lost++
	d.lastLoss = err
	d.run.metrics.lost.Add(1)
	d.fault(fmt.Errorf("message lost: %w", err))
	d.log("warn", fmt.Sprintf("a message to %s is not acknowledged: %v", topic, err))
}

func publishProperties(properties map[string]string) mqtt.PublishProperties {
	var q mqtt.PublishProperties
	for _, name := range slices.Sorted(maps.Keys(properties)) { // the same bytes each time
		switch value := properties[name]; name {
		case "contentType":
			q.ContentType = []byte(value)
		case "responseTopic":
			q.ResponseTopic = []byte(value)
		case "correlationData":
			q.Correlation = []byte(value)
		default:
			q.User = append(q.User, mqtt.UserProperty{Name: []byte(name), Value: []byte(value)})
		}
	}
	return q
}
