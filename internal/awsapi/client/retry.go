package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 20 * time.Second
)

// throttling are the codes of calls that were refused for coming too fast: they
// were not carried out, so that any may be repeated.
var throttling = []string{
	"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "TooManyRequests",
	"RequestLimitExceeded", "BandwidthLimitExceeded", "ProvisionedThroughputExceededException", "SlowDown", "PriorRequestNotComplete", "ClientLimitExceededException",
}

// again says whether a call that ended in err may be made again.
func again(op *awsapi.Operation, err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Status == 429 || slices.Contains(throttling, e.Code) {
			return true
		}
		return e.Status >= 500 && e.Status != 501 && repeatable(op)
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	return unsent(err) || repeatable(op) && broken(err)
}

// repeatable says whether a call that may have been carried out does no harm
// when it is made again. Another certificate, key or message would; a thing, a
// type or a group that is made again with the same values is the same one.
func repeatable(op *awsapi.Operation) bool {
	switch op.Name {
	case "CreateThing", "CreateThingType", "CreateThingGroup", "CreateBillingGroup":
		return true
	}
	for _, verb := range [...]string{"Create", "Register", "Publish", "Start", "Upload"} {
		if strings.HasPrefix(op.Name, verb) {
			return false
		}
	}
	return true
}

// unsent says that no connection came about.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" && broken(err)
}

// broken says that a connection's fault may be gone the next time. Names that
// do not exist and certificates that nobody vouches for stay as they are.
func broken(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsTemporary || dns.IsTimeout
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return true
	}
	for _, fault := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// backOff is the pause before attempt n+1: up to twice as long each time, at
// random, so that those that were refused together do not come together again.
func backOff(n int) time.Duration {
	limit := min(firstPause<<min(n, 16), maxPause)
	return limit/4 + rand.N(limit)
}
