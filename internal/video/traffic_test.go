package video

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// AWS's limits on calls and connections, and that they come free again.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Limits: Limits{}.withDefaults()}
		one, other := &Stream{ID: "one"}, &Stream{ID: "other"}
		begin := func(st *Stream, op string) (end func(), problem string) {
			ctx, end := context.WithCancel(awsapi.WithRequest(t.Context(), &awsapi.Request{Operation: &awsapi.Operation{Name: op}}))
			return end, code(t, s.admit(ctx, st))
		}
		var ends []func()
		for i := range 7 {
			end, problem := begin(one, "PutMedia")
			ends = append(ends, end)
			if want := map[bool]string{true: "ConnectionLimitExceededException"}[i >= 5]; problem != want {
				t.Errorf("connection %d: %q, want %q", i, problem, want)
			}
		}
		if _, problem := begin(other, "PutMedia"); problem != "" {
			t.Errorf("another stream: %s", problem)
		}
		if _, problem := begin(one, "GetMedia"); problem != "" {
			t.Errorf("another operation: %s", problem)
		}
		ends[0]()
		synctest.Wait()
		end, problem := begin(one, "PutMedia")
		if problem != "" {
			t.Errorf("after one has ended: %s", problem)
		}
		for _, e := range append(ends, end) {
			e()
		}
		synctest.Wait()

		time.Sleep(time.Minute)
		refused := 0
		for range 60 {
			end, problem := begin(one, "PutMedia")
			if problem == "ClientLimitExceededException" {
				refused++
			} else if problem != "" {
				t.Fatal(problem)
			}
			end()
			synctest.Wait()
		}
		if refused != 10 {
			t.Errorf("%d of 60 calls at once are refused, want 10", refused)
		}
		time.Sleep(time.Second)
		for i := range 6 {
			end, problem := begin(one, "PutMedia")
			if got := problem == ""; got != (i < 5) {
				t.Errorf("call %d of the next second: %q", i, problem)
			}
			end()
			synctest.Wait()
		}
		s.traffic.forget(time.Now().Add(time.Hour))
		if n := len(s.traffic.streams); n != 2 { // other's PutMedia and one's GetMedia go on
			t.Errorf("%d streams are remembered", n)
		}
	})
}

// AWS's rates of control operations: of a stream, of an account, and of an account with a stream that is not there.
func TestControlRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Limits: Limits{}.withDefaults()}
		call := func(op, account string, st *Stream) string {
			r := &awsapi.Request{Operation: &awsapi.Operation{Name: op}, Caller: &awsapi.Caller{Account: account}, Region: "eu-west-1"}
			if st != nil {
				r.Target = st
			}
			_, err := s.throttled(awsapi.WithRequest(t.Context(), r))
			return code(t, err)
		}
		const limit, missing = "ClientLimitExceededException", "ResourceNotFoundException"
		for _, c := range []struct {
			op, account string
			stream      string
			most        int // at once
			then, after string
		}{
			{"DescribeStream", "1", "one", 50, "", limit},
			{"DescribeStream", "1", "two", 50, "", limit},
			{"UpdateStream", "1", "one", 50, "", limit},
			{"UpdateStream", "1", "", 450, missing, limit},
			{"UpdateStream", "2", "", 500, missing, limit},
			{"GetDataEndpoint", "1", "", 3000, missing, limit},
			{"UpdateMediaStorageConfiguration", "1", "", 100, missing, limit},
		} {
			var st *Stream
			if c.stream != "" {
				st = &Stream{ID: c.stream}
			}
			for i := range c.most {
				if got := call(c.op, c.account, st); got != c.then {
					t.Fatalf("%s of %q by %s, call %d: %q, want %q", c.op, c.stream, c.account, i, got, c.then)
				}
			}
			if got := call(c.op, c.account, st); got != c.after {
				t.Errorf("%s of %q by %s, call %d: %q, want %q", c.op, c.stream, c.account, c.most, got, c.after)
			}
		}
		time.Sleep(time.Second)
		for i := range 6 {
			want := ""
			if i == 5 {
				want = limit
			}
			if got := call("DescribeStream", "1", &Stream{ID: "one"}); got != want {
				t.Errorf("call %d of the next second: %q, want %q", i, got, want)
			}
		}
		time.Sleep(time.Minute)
		if s.traffic.forget(time.Now()); len(s.traffic.streams) != 0 {
			t.Errorf("%d streams and accounts are remembered", len(s.traffic.streams))
		}
		s.Limits = Unlimited()
		for range 10_000 {
			if got := call("DescribeStream", "1", &Stream{ID: "one"}); got != "" {
				t.Fatalf("without limits: %q", got)
			}
		}
	})
}

// A producer that is faster than AWS reads is not read faster.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{Limits: Limits{}.withDefaults()}
		x := &session{s: s, st: &Stream{ID: "st"}}
		s.traffic.enter(x)
		pass := func(bytes, fragments, times int) time.Duration {
			began := time.Now()
			for range times {
				time.Sleep(x.pace(bytes, fragments))
			}
			return time.Since(began)
		}
		if d := pass(12_500_000/100, 0, 3000); d != 20*time.Second { // 30 s worth, of which 10 may come at once
			t.Errorf("media for 30 seconds takes %v", d)
		}
		time.Sleep(time.Minute)
		if d := pass(0, 1, 100); d != 10*time.Second {
			t.Errorf("100 fragments take %v", d)
		}
		s.Limits = Unlimited()
		if d := pass(1<<30, 1000, 100); d != 0 {
			t.Errorf("without limits: %v", d)
		}
	})
}

// started is an ingest under way without a database: nothing of it may be stored.
func started(t *testing.T, body io.Reader, set func(*Service)) (s *Service, out *wire, done chan error) {
	s = &Service{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, IdlePut: 30 * time.Second}
	if set != nil {
		set(s)
	}
	s.Limits = s.Limits.withDefaults()
	s.ctx, s.cancel = t.Context(), func() {}
	out, done = &wire{}, make(chan error, 1)
	go func() { done <- s.ingest(t.Context(), &Stream{ID: "st"}, false, 0, body, out) }()
	return s, out, done
}

// Who sends a byte now and then does not keep a connection for ever.
func TestSlowSenderIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		_, out, done := started(t, r, nil)
		began := time.Now()
		over := make(chan struct{})
		go func() {
			defer close(over)
			for _, b := range header(1) {
				if _, err := w.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * time.Second)
			}
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d < fragmentTime || d > fragmentTime+30*time.Second {
			t.Errorf("ended after %v", d)
		}
		if list := out.acks(t); slices.ContainsFunc(list, func(a ack) bool { return a.EventType != "IDLE" }) {
			t.Errorf("acknowledgements %s", events(list))
		}
		_ = w.Close()
		_ = r.Close()
		<-over
	})
}

// A silent producer is ended after half a minute, with IDLE before.
func TestSilentSenderIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		_, out, done := started(t, r, nil)
		began := time.Now()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("ended after %v", d)
		}
		if got := events(out.acks(t)); got != "II" {
			t.Errorf("acknowledgements %s", got)
		}
		_ = w.Close()
		_ = r.Close()
	})
}

// 4003: a connection lasts 45 minutes, and ends between two fragments.
func TestConnectionTime(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), func(s *Service) { s.Limits.ConnectionTime = 50 * time.Millisecond })
	st := f.create(t, "long", 1)
	one := cluster(1000, block(1, 0, 1))
	late := io.MultiReader(bytes.NewReader(slices.Concat(header(1), one)), sleeper(100*time.Millisecond), bytes.NewReader(slices.Concat(one, one)))
	list := f.put(t, st, late)
	if got := events(list); got != "BRPE MAX_CONNECTION_DURATION_REACHED" || list[3].ErrorID != 4003 {
		t.Errorf("acknowledgements %s", got)
	}
	if n := len(f.read(t, st, before).clusters); n != 1 {
		t.Errorf("%d fragments", n)
	}
}

// sleeper reads as nothing, later.
type sleeper time.Duration

func (d sleeper) Read([]byte) (int, error) {
	time.Sleep(time.Duration(d))
	return 0, io.EOF
}

// 4000: the body's chunks cannot be read, but the connection is there.
func TestUnreadableBody(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	body := slices.Concat(header(1), cluster(1000, block(1, 0, 1)), cluster(2000, block(1, 0, 1)))
	list := f.put(t, st, io.MultiReader(bytes.NewReader(body), errReader{errors.New("malformed chunked encoding")}))
	if got := events(list); got != "BRBPE STREAM_READ_ERROR" && got != "BRPBE STREAM_READ_ERROR" && got != "BBRPE STREAM_READ_ERROR" {
		t.Errorf("acknowledgements %s", got)
	}
}

// A deleted stream's producer is told at once, silent as it may be: its file takes space until it is closed.
func TestDeletionEndsProducers(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "gone", 1)
	r, w := net.Pipe()
	acked := make(chan ack, 10)
	out := &wire{on: func(a ack) { acked <- a }}
	done := make(chan error, 1)
	go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
	must(w.Write(slices.Concat(header(1), cluster(1000, block(1, 0, 100)))))
	if a := <-acked; a.EventType != "BUFFERING" {
		t.Fatalf("%+v", a)
	}
	if err := f.deleteStream(t.Context(), st, nil); err != nil {
		t.Fatal(err)
	}
	f.traffic.end(st.ID) // as DeleteStream does
	if a := <-acked; a.EventType != "ERROR" || a.ErrorID != 4008 {
		t.Errorf("%+v", a)
	}
	<-done
	if err := f.reapOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	for info := range f.Blobs.List("") {
		t.Errorf("file %s is left", info.Name)
	}
	noRows(t, f.DB, "video_fragments", "video_chunks", "video_deleted_streams")
}

// Space comes back within a minute of a fragment's end of life, although its producer has gone on sending.
func TestSpaceComesBackWithinAMinute(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, hours := range []int64{0, 1} {
			st := f.create(t, map[int64]string{0: "none", 1: "hour"}[hours], hours)
			r, w := net.Pipe()
			persisted := make(chan ack, 10)
			out := &wire{on: func(a ack) {
				if a.EventType == "PERSISTED" {
					persisted <- a
				}
			}}
			done := make(chan error, 1)
			go func() { done <- f.ingest(t.Context(), st, false, 0, r, out) }()
			must(w.Write(header(1)))
			began := f.clock.now()
			for i := range 10 { // a fragment of 1,000 bytes every ten seconds
				f.clock.add(10 * time.Second)
				must(w.Write(slices.Concat(cluster(int64(i), block(1, 0, 1000)), tags(tagEndOfFragment, ""))))
				<-persisted
			}
			_ = w.Close()
			<-done
			for at := began.Add(st.keeps()); at.Before(began.Add(st.keeps() + 3*time.Minute)); at = at.Add(20 * time.Second) {
				f.clock.add(at.Sub(f.clock.now()))
				if err := f.reapOnce(t.Context()); err != nil {
					t.Fatal(err)
				}
				var size int64
				for info := range f.Blobs.List(chunkDir(st.ID)) {
					size += info.Size
				}
				// Those whose life ended more than a minute ago.
				over := min(max(int(at.Sub(began.Add(st.keeps()+time.Minute))/(10*time.Second)), 0), 10)
				if most := int64(10-over) * 1200; size > most {
					t.Errorf("%d hours: %v after the first fragment's end %d bytes are kept, at most %d may be", hours, at.Sub(began.Add(st.keeps())), size, most)
				}
			}
		}
	})
}

// Leases that nobody has are ended by the reaper, those of connections are not.
func TestReaperEndsLeases(t *testing.T) {
	f := newFixture(t, dbtest.SQLite(t), nil)
	st := f.create(t, "cam", 1)
	c := must(f.newChunk(t.Context(), st))
	if err := f.reapOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := must(f.leased(t.Context(), chunkRow{})); len(list) != 1 {
		t.Fatalf("leases %v", list)
	}
	if err := c.file.Close(); err != nil {
		t.Fatal(err)
	}
	f.leases.give(c.name) // its end could not be written down
	if err := f.reapOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	noRows(t, f.DB, "video_chunks")
}
