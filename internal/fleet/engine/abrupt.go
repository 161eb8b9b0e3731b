package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
)

const (
	// soon is within what time a server closes the connection for what it does not allow, besides the simulated latency.
	soon = time.Second
	// patience is how long a device may have tried to connect without an answer when the time is up.
	patience = 5 * time.Second
)

// abruptEnd is the end of a connection of MQTT 3.1.1, in which a server has no other way to say no.
type abruptEnd struct{ what, where string }

func (e *abruptEnd) Error() string { return e.text(e.where) }
func (e *abruptEnd) Unwrap() error { return client.ErrConnectionLost }

func (e *abruptEnd) text(where string) string {
	what := e.what + cut(where, maxReason)
	if where == "" {
		what, _, _ = strings.Cut(e.what, " ")
	}
	return fmt.Sprintf("closed by the server right after a %s: does a policy allow it? (protocol version 5 tells the reason)", what)
}

// question is what was sent last and may be refused.
type question struct {
	what  string // "publish to "
	where []byte
	at    time.Time // zero: it is answered
}

// asks notes what is being sent, if there is a connection.
func (l *link) asks(what string, where []byte) {
	if l.version != mqtt.V311 || !l.client.Connected() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = question{what, where, time.Now()}
}

// answered notes that the server did not close the connection for what was sent last, unless err says that it may have.
func (l *link) answered(err error) {
	if l.version != mqtt.V311 || errors.Is(err, client.ErrConnectionLost) || errors.Is(err, client.ErrNotConnected) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && strings.HasPrefix(l.asked.what, "subscription") {
		l.unsubscribed = 0
	}
	l.asked.at = time.Time{}
}

// explain makes an *abruptEnd of how a connection that began at since ended, if that is what it looks like.
func (l *link) explain(err error, since time.Time) error {
	if l.version != mqtt.V311 {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.asked
	if l.clean {
		l.asked.at = time.Time{} // what was lost is not sent again
	}
	if q.at.IsZero() || !closedByServer(err) {
		return err
	}
	if q.at.After(since) {
		since = q.at
	}
	if time.Since(since) > soon+2*time.Duration(l.d.run.o.Run.Network.Latency) {
		return err
	}
	if strings.HasPrefix(q.what, "subscription") {
		l.unsubscribed++
	}
	l.abrupt = &abruptEnd{q.what, string(q.where)}
	return l.abrupt
}

// closedByServer says whether a connection ended without a word of the server's.
func closedByServer(err error) bool {
	for _, e := range []error{client.ErrServerClosed, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (l *link) failedWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = err
}

// inVain is why the device was never connected; nil if it was, or had no time for it.
func (l *link) inVain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	tried := time.Since(l.begun)
	switch {
	case l.met:
		return nil
	case l.last != nil:
		return fmt.Errorf("it never connected to %s: %w", l.address, l.last)
	case tried >= patience:
		return fmt.Errorf("it did not connect to %s within %s", l.address, tried.Round(time.Second))
	}
	return nil
}
