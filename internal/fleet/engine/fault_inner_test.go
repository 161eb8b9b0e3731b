package engine

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/thingd/thingd/internal/fleet/script"
)

func TestReasonOf(t *testing.T) {
	lookup := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "nowhere.test"}}
	if got := reasonOf(fmt.Errorf("connect: %w", lookup)); got != "dial: lookup nowhere.test: no such host" {
		t.Error(got)
	}
}

func TestJoined(t *testing.T) {
	own := errors.New("own")
	err := joined([]error{
		ofMember("certificate", &script.Error{Place: "protocol.certificate", Line: 1, Message: "TypeError: x"}), ofMember("key", own),
	})
	if got := err.Error(); got != "protocol.certificate, line 1: TypeError: x; protocol.key: own" || !errors.Is(err, own) {
		t.Error(got)
	}
}
