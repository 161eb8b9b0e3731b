package video

import (
	"fmt"
	"strconv"
	"sync"
)

// ackError ends a PutMedia connection with an ERROR acknowledgement.
type ackError struct {
	id     int
	code   string
	reason string // for the log
}

func (e *ackError) Error() string { return fmt.Sprintf("%d %s: %s", e.id, e.code, e.reason) }

// Error ids of PutMedia (Developer Guide, "PutMedia", response syntax). The producer SDK sends a fragment
// again after the retriable ones, 4000, 4003, 5000 and 5001, and skips it after the others. Of AWS's, 4005 is no longer
// used, and 4500 to 4507 are about keys of KMS, which is not here.
var ackCodes = map[int]string{
	4000: "STREAM_READ_ERROR",
	4001: "MAX_FRAGMENT_SIZE_REACHED",
	4002: "MAX_FRAGMENT_DURATION_REACHED",
	4003: "MAX_CONNECTION_DURATION_REACHED",
	4004: "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS",
	4006: "INVALID_MKV_DATA",
	4007: "INVALID_PRODUCER_TIMESTAMP",
	4008: "STREAM_NOT_ACTIVE",
	4009: "FRAGMENT_METADATA_LIMIT_REACHED",
	4010: "TRACK_NUMBER_MISMATCH",
	4011: "FRAMES_MISSING_FOR_TRACK",
	4012: "MORE_THAN_ALLOWED_TRACKS_FOUND",
	5000: "INTERNAL_ERROR",
	5001: "ARCHIVAL_ERROR",
}

func ackErrorf(id int, format string, args ...any) *ackError {
	return &ackError{id: id, code: ackCodes[id], reason: fmt.Sprintf(format, args...)}
}

// flusher is what acknowledgements are written to: awsapi.StreamWriter.
type flusher interface {
	Write(p []byte) (int, error)
	Flush() error
}

// acks writes acknowledgements, each on its own: the producer SDK rejects a read of more than 1,024 bytes whole, and
// loses what comes behind one it cannot read. Safe for concurrent use.
type acks struct {
	mu  sync.Mutex
	w   flusher
	err error // of the first write that failed: the producer has gone
	buf []byte
}

// fragment says what became of a fragment; timecode is the cluster's as the producer sent it, in milliseconds.
func (a *acks) fragment(event string, timecode int64, number string) error {
	return a.write(func(b []byte) []byte {
		b = append(b, `{"EventType":"`...)
		b = append(b, event...)
		b = append(b, `","FragmentTimecode":`...)
		b = strconv.AppendInt(b, timecode, 10)
		b = append(b, `,"FragmentNumber":"`...)
		b = append(b, number...)
		return append(b, `"}`...)
	})
}

// idle says that nothing comes.
func (a *acks) idle() error {
	return a.write(func(b []byte) []byte { return append(b, `{"EventType":"IDLE"}`...) })
}

// fail says what ends the connection, and at which fragment when it has a number.
func (a *acks) fail(e *ackError, timecode int64, number string) error {
	return a.write(func(b []byte) []byte {
		b = append(b, `{"EventType":"ERROR",`...)
		if number != "" {
			b = fmt.Appendf(b, `"FragmentTimecode":%d,"FragmentNumber":"%s",`, timecode, number)
		}
		return fmt.Appendf(b, `"ErrorId":%d,"ErrorCode":"%s"}`, e.id, e.code)
	})
}

func (a *acks) write(build func([]byte) []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return a.err
	}
	a.buf = append(build(a.buf[:0]), '\r', '\n')
	if _, a.err = a.w.Write(a.buf); a.err == nil {
		a.err = a.w.Flush()
	}
	return a.err
}
