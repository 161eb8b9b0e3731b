package audit

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thingd/thingd/internal/journal"
)

// Query says which records are looked up. What is empty does not count.
type Query struct {
	EventName string // any case
	User      string // user, role or session name, ARN, principal id, certificate id, or root
	Resource  string // ARN or name
	Source    string // "iam" or "iam.amazonaws.com"
	AccessKey string // of the caller, or that an unproven one named
	Account   string // of the caller, or that the record is for
	RequestID string
	Refused   bool  // only what was refused
	ReadOnly  *bool // only what reads, or only what writes
	Since     time.Time
	Until     time.Time
}

// clockSlack is how far records may be out of their order in time: they are
// written in the order of the answers, by a clock that may be set.
const clockSlack = 5 * time.Minute

// Lookup answers the records of a trail that q asks for, the newest first, of
// those written when it began. It holds one block of one file in memory. An
// Entry is good until the next one. Lines that are no records are passed over.
func Lookup(ctx context.Context, dir string, q Query) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		s, err := snapshotOf(dir)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.close()
		s.lookup(ctx, &q, yield)
	}
}

// snapshot is a trail at one moment.
type snapshot struct {
	dir     string
	current *os.File // nil: none
	size    int64    // of the current file
	old     []string // before it, oldest first
}

// snapshotOf looks again when the current file was put aside meanwhile: a
// listing that others change may lack some names and have newer ones.
func snapshotOf(dir string) (*snapshot, error) {
	for attempt := 0; ; attempt++ {
		s, err := snapshotOnce(dir)
		if err != nil || attempt == 100 || s.stands() {
			return s, err
		}
		s.close()
	}
}

// stands says that the current file, or that there is none, is as it was.
func (s *snapshot) stands() bool {
	there, err := os.Stat(filepath.Join(s.dir, File))
	if err != nil || s.current == nil {
		return s.current == nil && errors.Is(err, fs.ErrNotExist)
	}
	mine, err := s.current.Stat()
	return err == nil && os.SameFile(mine, there)
}

func snapshotOnce(dir string) (*snapshot, error) {
	s := &snapshot{dir: dir}
	f, err := os.Open(filepath.Join(dir, File))
	switch {
	case err == nil:
		s.current = f
		info, err := f.Stat()
		if err != nil {
			s.close()
			return nil, err
		}
		s.size = info.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, readError(dir, err)
	}
	if s.old, err = journal.Ended(dir, trailName); err != nil {
		s.close()
		return nil, readError(dir, err)
	}
	return s, nil
}

func (s *snapshot) close() {
	if s.current != nil {
		_ = s.current.Close() // only read
	}
}

func readError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("no right to read " + dir + ": run it as the server's user")
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no audit trail in " + dir)
	}
	return err
}

func (s *snapshot) lookup(ctx context.Context, q *Query, yield func(*Entry, error) bool) {
	if s.current != nil && !lookupFile(ctx, s.current, s.size, q, yield) {
		return
	}
	for _, name := range slices.Backward(s.old) {
		if ended, _ := journal.EndedAt(trailName, name); !q.Since.IsZero() && ended.Before(q.Since.Add(-clockSlack)) {
			return
		}
		f, err := os.Open(filepath.Join(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the oldest go while one looks
		}
		if err != nil {
			yield(nil, readError(s.dir, err))
			return
		}
		info, err := f.Stat()
		if err != nil {
			_ = f.Close()
			yield(nil, err)
			return
		}
		more := lookupFile(ctx, f, info.Size(), q, yield)
		_ = f.Close() // only read
		if !more {
			return
		}
	}
}

// lookupFile says whether the files before are wanted.
func lookupFile(ctx context.Context, f *os.File, size int64, q *Query, yield func(*Entry, error) bool) bool {
	r := newBackward(f, size)
	var e Entry
	for n := 0; ; n++ {
		line, err := r.next()
		if err == nil && n%1024 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			yield(nil, err)
			return false
		}
		if line == nil {
			return true
		}
		wanted, past := q.glance(line)
		if past {
			return false
		}
		if wanted && parse(line, &e) && q.match(&e) && !yield(&e, nil) {
			return false
		}
	}
}

// glance sorts out most lines cheaply. past says that those before are too old.
func (q *Query) glance(line []byte) (wanted, past bool) {
	if !q.Since.IsZero() || !q.Until.IsZero() {
		text, _ := peek(line, "eventTime")
		at, err := time.Parse(timeForm, text)
		if err != nil {
			return false, false
		}
		if !q.Since.IsZero() && at.Before(q.Since) {
			return false, at.Before(q.Since.Add(-clockSlack))
		}
		if !q.Until.IsZero() && at.After(q.Until) {
			return false, false
		}
	}
	if q.EventName != "" {
		name, ok := peek(line, "eventName")
		return ok && strings.EqualFold(name, q.EventName), false
	}
	return true, false
}

func (q *Query) match(e *Entry) bool {
	id := &e.UserIdentity
	switch {
	case q.EventName != "" && !strings.EqualFold(e.EventName, q.EventName),
		q.Source != "" && !strings.EqualFold(strings.TrimSuffix(q.Source, ".amazonaws.com"), e.Service()),
		q.AccessKey != "" && q.AccessKey != id.AccessKeyID && q.AccessKey != e.Additional.UnverifiedAccessKeyID,
		q.Account != "" && q.Account != id.AccountID && q.Account != e.Account,
		q.RequestID != "" && q.RequestID != e.RequestID,
		q.Refused && e.Result() == "ok",
		q.ReadOnly != nil && *q.ReadOnly != e.ReadOnly:
		return false
	}
	return (q.User == "" || e.isBy(q.User)) && (q.Resource == "" || e.isOn(q.Resource))
}

// minCert is how many characters of a certificate's id are taken for it.
const minCert = 8

func (e *Entry) isBy(user string) bool {
	id := &e.UserIdentity
	_, session, _ := strings.Cut(id.PrincipalID, ":")
	issuer := &id.SessionContext.SessionIssuer
	for _, name := range []string{id.UserName, id.ARN, id.PrincipalID, session, issuer.UserName, issuer.ARN, id.InvokedBy} {
		if name != "" && strings.EqualFold(name, user) {
			return true
		}
	}
	if id.InvokedBy != "" && len(user) >= minCert && strings.HasPrefix(id.PrincipalID, user) {
		return true // of a certificate, whose ids are long
	}
	return id.Type == Root && strings.EqualFold(user, "root")
}

// isOn takes an ARN, all of its last part, or the name at its end; the name of
// a Kinesis Video stream has its creation time behind it.
func (e *Entry) isOn(resource string) bool {
	for _, r := range e.Resources {
		last := lastParts(r.ARN)
		if r.ARN == resource || last == resource || strings.HasSuffix(last, "/"+resource) || strings.HasSuffix(last, ":"+resource) ||
			strings.HasPrefix(last, "stream/"+resource+"/") {
			return true
		}
	}
	return false
}
