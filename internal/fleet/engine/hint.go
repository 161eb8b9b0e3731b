package engine

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/thingd/thingd/internal/fleet/script"
	"github.com/thingd/thingd/internal/mqtt"
	"github.com/thingd/thingd/internal/mqtt/client"
)

// throttledBy is what an error says of a server's rates, as the beginning of a sentence; empty: nothing.
func throttledBy(err error) string {
	if e, ok := errors.AsType[*client.Refused](err); ok {
		switch e.Reason {
		case mqtt.QuotaExceeded, mqtt.MessageRateTooHigh, mqtt.ConnectionRateExceeded, mqtt.ServerBusy, mqtt.ReceiveMaximumExceeded:
			return fmt.Sprintf("the server refused a %s (%s)", e.What, e.Reason)
		}
		return ""
	}
	if e, ok := errors.AsType[*script.AWSError](err); ok {
		if e.Status == http.StatusTooManyRequests || strings.Contains(e.Code, "Throttl") || strings.Contains(e.Code, "TooManyRequests") {
			return fmt.Sprintf("the server refused a request (%s)", e.Code)
		}
		return ""
	}
	switch {
	case errors.Is(err, errNoAck):
		return "the server does not acknowledge a message"
	case errors.Is(err, errNoWelcome):
		return "the server closed a connection during CONNECT"
	}
	return ""
}

// hint says once, in the log and in the result, that a run in virtual time is faster than the server allows.
func (r *Run) hint(what string) {
	if what == "" || r.o.Run.Time != "virtual" {
		return
	}
	text := what + ". In virtual time devices send as fast as they can, and a server takes only so much a second (AWS IoT: 100 messages " +
		"of a connection). Run it in real time (without --virtual), with fewer devices or longer intervals; " +
		"a thingd server takes more with `thingd serve --limits mqtt`"
	if r.hinted.CompareAndSwap(nil, &text) {
		r.logs.write(r.clock.Now(), -1, "warn", text)
	}
}
