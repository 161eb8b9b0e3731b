package kvs

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/mkv"
)

// Fragment is one that the service gave.
type Fragment struct {
	Number           string
	Producer, Server time.Time
	Token            string // to go on behind it; of GetMedia
	// Header is the producer's, Media the cluster and the tags behind it, byte for byte as they were sent.
	Header, Media []byte
	// Raw is everything as the service sent it.
	Raw []byte
}

const (
	tagPrefix   = "AWS_KINESISVIDEO_"
	tagNumber   = tagPrefix + "FRAGMENT_NUMBER"
	tagServer   = tagPrefix + "SERVER_TIMESTAMP"
	tagProducer = tagPrefix + "PRODUCER_TIMESTAMP"
	tagToken    = tagPrefix + "CONTINUATION_TOKEN"
)

// FragmentError is what the service says in the place of a fragment.
type FragmentError struct {
	Number, Code, Message string
}

func (e *FragmentError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("fragment %s: %s %s", e.Number, e.Code, e.Message))
}

// split reads what GetMedia or GetMediaForFragmentList answers, and calls emit with each whole fragment: a document that
// begins with AWS's tags behind the producer's header, a cluster, and tags. emit may keep the fragment. A fragment that the
// answer breaks off is not given out, and is no error.
func split(r io.Reader, emit func(*Fragment) error) error {
	s := &splitter{emit: emit}
	p := mkv.NewParser(s.event)
	if _, err := io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{r}, make([]byte, 32<<10)); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return nil //nolint:nilerr // broken off: the caller knows what it has
	}
	return s.finish()
}

type splitter struct {
	emit func(*Fragment) error
	f    *Fragment
	over bool // the cluster has ended
}

func (s *splitter) event(e *mkv.Event) error {
	switch e.Kind {
	case mkv.KindHeader:
		if err := s.finish(); err != nil {
			return err
		}
		return s.begin(e.Header)
	case mkv.KindClusterEnd:
		s.over = true
	case mkv.KindData:
		return s.add(e.Raw)
	case mkv.KindTags:
		return s.tags(e)
	}
	return nil
}

// begin takes a document's header apart: AWS's tags are the last that it has.
func (s *splitter) begin(h *mkv.Header) error {
	ours := slices.IndexFunc(h.Tags, func(t mkv.Tag) bool { return t.Name == tagNumber })
	s.f, s.over = &Fragment{Header: h.Raw, Raw: bytes.Clone(h.Raw)}, false
	if ours < 0 {
		return nil
	}
	tags := h.Tags[ours:]
	if header, ok := bytes.CutSuffix(h.Raw, mkv.AppendTags(nil, tags...)); ok {
		s.f.Header = header
	}
	for _, t := range tags {
		switch t.Name {
		case tagNumber:
			s.f.Number = t.Value
		case tagServer:
			s.f.Server = moment(t.Value)
		case tagProducer:
			s.f.Producer = moment(t.Value)
		}
	}
	return failure(tags)
}

func (s *splitter) tags(e *mkv.Event) error {
	if s.f == nil {
		return failure(e.Tags)
	}
	if err := failure(e.Tags); err != nil {
		return errorsFirst(s.finish(), err)
	}
	i := slices.IndexFunc(e.Tags, func(t mkv.Tag) bool { return t.Name == tagToken })
	if i < 0 {
		return s.add(e.Raw)
	}
	s.f.Token = e.Tags[i].Value
	s.f.Raw = append(s.f.Raw, e.Raw...)
	return s.finish()
}

func errorsFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (s *splitter) add(p []byte) error {
	if s.f == nil {
		return nil
	}
	if len(s.f.Media)+len(p) > maxFragment+maxFragment/10 {
		return fmt.Errorf("fragment %s has more than %d MB", s.f.Number, maxFragment>>20)
	}
	s.f.Media = append(s.f.Media, p...)
	s.f.Raw = append(s.f.Raw, p...)
	return nil
}

// finish gives out the fragment, if it is whole.
func (s *splitter) finish() error {
	f := s.f
	s.f = nil
	if f == nil || !s.over {
		return nil
	}
	return s.emit(f)
}

// failure is what tags say that there is in the place of a fragment.
func failure(tags []mkv.Tag) error {
	var e FragmentError
	for _, t := range tags {
		switch strings.TrimPrefix(t.Name, tagPrefix) {
		case "FRAGMENT_NUMBER":
			e.Number = t.Value
		case "ERROR_ID", "EXCEPTION_ERROR_CODE":
			e.Code = t.Value
		case "ERROR_CODE", "EXCEPTION_MESSAGE":
			e.Message = t.Value
		}
	}
	if e.Code == "" {
		return nil
	}
	return &e
}

// moment reads decimal seconds since 1970, the zero time when they are none.
func moment(text string) time.Time {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < -1e11 || v > 1e12 {
		return time.Time{}
	}
	return time.UnixMilli(int64(v*1000 + 0.5))
}
