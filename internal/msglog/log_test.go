package msglog_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
	"github.com/thingd/thingd/internal/msglog"
)

// open opens and loads a log; it is closed when the test ends.
func open(t *testing.T, d *db.DB, o msglog.Options) (*msglog.Log, map[msglog.SessionID]*msglog.Loaded) {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	l, err := msglog.Open(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(map[msglog.SessionID]*msglog.Loaded)
	err = l.Load(t.Context(), func(s *msglog.Loaded) error { loaded[s.ID] = s; return nil }, nothingRetained)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, loaded
}

// appended appends what fill puts into a batch and returns how it went.
func appended(t *testing.T, l *msglog.Log, fill func(b *msglog.Batch)) error {
	t.Helper()
	var b msglog.Batch
	fill(&b)
	done := make(chan error, 1)
	if err := l.Append(&b, func(err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

func newSession(t *testing.T, l *msglog.Log, clientID string) msglog.SessionID {
	t.Helper()
	id := l.NewSession()
	if err := appended(t, l, func(b *msglog.Batch) {
		b.PutSession(&msglog.Session{ID: id, Account: "123456789012", Region: "us-east-1", ClientID: clientID})
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func count(t *testing.T, d *db.DB, query string) (n int64) {
	t.Helper()
	if err := d.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A full disk: nothing is acknowledged, nothing of it comes back, and all goes
// on when there is space again.
func TestFullDisk(t *testing.T) {
	d := dbtest.SQLite(t)
	l, _ := open(t, d, msglog.Options{})
	id := newSession(t, l, "c")
	pages := func(n int64) {
		t.Helper()
		if err := d.Write(t.Context(), func(tx *db.Tx) error { // on the writer's connection
			return tx.QueryRow(t.Context(), fmt.Sprint("PRAGMA max_page_count=", n)).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	var b msglog.Batch
	message := func(b *msglog.Batch) { b.Message(make([]byte, 100_000), []msglog.Target{{Session: id, QoS: 1}}) }
	if err := appended(t, l, func(b *msglog.Batch) { message(b); b.Received(id, 7) }); err != nil {
		t.Fatal(err)
	}
	pages(count(t, d, "PRAGMA page_count") + 2)
	other := l.NewSession()
	for range 3 {
		b.Reset()
		message(&b)
		b.Received(id, 8)
		b.PutSession(&msglog.Session{ID: other, Account: "1", Region: "r", ClientID: "other"})
		done := make(chan error, 1)
		if err := l.Append(&b, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "full") {
			t.Fatalf("on a full disk: %v", err)
		}
		if n, _ := l.Queue(id); n != 1 {
			t.Fatalf("%d messages are queued, want 1", n)
		}
		if _, err := l.Message(t.Context(), id, b.Seq(0)); !errors.Is(err, msglog.ErrSettled) {
			t.Fatalf("a message that was refused: %v", err)
		}
	}
	pages(1 << 30)
	if err := appended(t, l, message); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, loaded := open(t, d, msglog.Options{})
	s := loaded[id]
	if s == nil || len(s.Queue) != 2 || len(s.Incoming) != 1 || s.Incoming[0] != 7 {
		t.Fatalf("loaded %+v", s)
	}
	if loaded[other] == nil {
		t.Fatal("a session put while the disk was full is not there")
	}
}

// One that has lost its database to another process acknowledges nothing more.
func TestTakenOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l, _ := open(t, d, msglog.Options{})
		id := newSession(t, l, "c")
		open(t, d, msglog.Options{})
		retain := func(b *msglog.Batch) {
			b.Retain(msglog.RetainedTopic{Account: "1", Region: "r", Topic: "t"}, []byte("x"))
		}
		for range 3 {
			if err := appended(t, l, retain); !errors.Is(err, msglog.ErrTakenOver) {
				t.Fatalf("%v, want ErrTakenOver", err)
			}
		}
		if err := appended(t, l, func(b *msglog.Batch) { b.Settled(id, 1) }); !errors.Is(err, msglog.ErrTakenOver) {
			t.Fatalf("%v, want ErrTakenOver", err)
		}
		if err := l.Close(); !errors.Is(err, msglog.ErrTakenOver) {
			t.Fatal(err)
		}
		if n := count(t, d, `SELECT count(*) FROM mqtt_retained`); n != 0 {
			t.Fatal("the one that lost wrote")
		}
	})
}

func TestRefused(t *testing.T) {
	d := dbtest.SQLite(t)
	l, _ := open(t, d, msglog.Options{Pending: 1000})
	id := newSession(t, l, "c")
	for _, fill := range []func(b *msglog.Batch){
		func(b *msglog.Batch) { b.Retain(msglog.RetainedTopic{Account: "1", Region: "r", Topic: "a\x00"}, nil) },
		func(b *msglog.Batch) { b.Retain(msglog.RetainedTopic{Account: "1", Region: "r", Topic: "a\xff"}, nil) },
		func(b *msglog.Batch) { b.PutSession(&msglog.Session{ID: id, ClientID: "a\xff"}) },
	} {
		if err := appended(t, l, fill); !errors.Is(err, db.ErrText) {
			t.Errorf("%v, want ErrText", err)
		}
	}
	// The committer waits in done: what is appended meanwhile piles up.
	held, let := make(chan bool), make(chan bool)
	var b msglog.Batch
	b.Message([]byte("x"), []msglog.Target{{Session: id, QoS: 1}})
	l.Append(&b, func(error) { held <- true; <-let })
	<-held
	var err error
	var answers sync.WaitGroup
	for n := 0; err == nil; n++ {
		if n > 100 {
			t.Fatal("no end to what is taken")
		}
		b.Reset()
		b.Message(make([]byte, 100), []msglog.Target{{Session: id, QoS: 1}})
		answers.Add(1)
		err = l.Append(&b, func(err error) {
			if err != nil {
				t.Error(err)
			}
			answers.Done()
		})
	}
	answers.Done()
	if !errors.Is(err, msglog.ErrBacklog) {
		t.Fatal(err)
	}
	b.Reset()
	b.Settled(id, 1)
	if err := l.Append(&b, nil); err != nil { // never refused
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	close(let)
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	answers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(&b, nil); !errors.Is(err, msglog.ErrClosed) {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context()); !errors.Is(err, msglog.ErrClosed) {
		t.Fatal(err)
	}
}

// A session that sleeps does not keep what others have settled since, and what
// all have settled is gone.
func TestSleeper(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const slack = 256 << 10
		l, _ := open(t, d, msglog.Options{Slack: slack, Lazy: time.Millisecond, Cache: 64 << 10})
		sleeper, slow, busy := newSession(t, l, "sleeper"), newSession(t, l, "slow"), newSession(t, l, "busy")
		want := make(map[uint64]byte)
		var last []uint64 // of slow
		live := 0
		for i := range 400 {
			var b msglog.Batch
			var all []uint64
			data := make([]byte, 500)
			data[0] = byte(i)
			for j := range 50 {
				targets := []msglog.Target{{Session: busy, QoS: 1}}
				switch {
				case i%20 == 0 && j == 25:
					targets = append(targets, msglog.Target{Session: sleeper, QoS: 2, PacketID: 9})
				case j == 13:
					targets = append(targets, msglog.Target{Session: slow, QoS: 1})
				}
				b.Message(data, targets)
			}
			done := make(chan error, 1)
			l.Append(&b, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for j := range 50 {
				all = append(all, b.Seq(j))
			}
			if i%20 == 0 {
				want[b.Seq(25)] = byte(i)
				live += len(data)
			}
			last = append(last, b.Seq(13))
			b.Reset()
			for _, seq := range all {
				b.Settled(busy, seq)
			}
			if len(last) > 30 {
				b.Settled(slow, last[0])
				last = last[1:]
			}
			l.Append(&b, nil)
			if size := count(t, d, `SELECT coalesce(sum(length(data)), 0) FROM mqtt_log`); size > int64(2*(live+31*600)+slack+2<<20) {
				t.Fatalf("%d bytes after %d batches, %d of them wanted", size, i, live)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l, loaded := open(t, d, msglog.Options{Slack: slack, Lazy: time.Millisecond})
		if n := len(loaded[slow].Queue); n != len(last) {
			t.Fatalf("%d messages are left for the slow one, want %d", n, len(last))
		}
		if n := len(loaded[busy].Queue); n != 0 {
			t.Fatalf("%d messages are left for the busy one", n)
		}
		var b msglog.Batch
		for _, q := range loaded[sleeper].Queue {
			data, err := l.Message(t.Context(), sleeper, q.Seq)
			if err != nil || len(data) != 500 || data[0] != want[q.Seq] || q.PacketID != 9 {
				t.Fatalf("%+v: %v", q, err)
			}
			delete(want, q.Seq)
			b.Settled(sleeper, q.Seq)
		}
		if len(want) > 0 {
			t.Fatalf("%d messages are lost", len(want))
		}
		b.DeleteSession(slow)
		l.Append(&b, nil)
		deadline := time.Now().Add(20 * time.Second)
		for count(t, d, `SELECT count(*) FROM mqtt_log`) > 0 {
			if time.Now().After(deadline) {
				t.Fatal("the log is not empty when all is settled")
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// Many goroutines at once: queue, read, settle, with rows moved behind them.
func TestConcurrent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l, _ := open(t, d, msglog.Options{Slack: 1, Lazy: time.Millisecond, Cache: 256 << 10})
		var ids []msglog.SessionID
		for i := range 8 {
			ids = append(ids, newSession(t, l, fmt.Sprint("c", i)))
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 2))
				var queue []uint64
				for n := range 300 {
					var b msglog.Batch
					data := make([]byte, 8+rng.IntN(2000))
					binary.BigEndian.PutUint64(data, uint64(n)<<8|uint64(i))
					b.Message(data, []msglog.Target{{Session: id, QoS: 1}, {Session: ids[(i+1)%8], QoS: 1}})
					// The neighbour settles nothing of this: it goes with its session.
					if err := l.Append(&b, nil); err != nil {
						t.Error(err)
						return
					}
					queue = append(queue, b.Seq(0))
					k := rng.IntN(len(queue))
					got, err := l.Message(t.Context(), id, queue[k])
					if err != nil || binary.BigEndian.Uint64(got)&255 != uint64(i) {
						t.Errorf("read: %v", err)
						return
					}
					if rng.IntN(3) > 0 {
						b.Reset()
						b.Settled(id, queue[k])
						l.Append(&b, nil)
						queue = append(queue[:k], queue[k+1:]...)
					}
				}
				for _, seq := range queue {
					if _, err := l.Message(t.Context(), id, seq); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := appended(t, l, func(b *msglog.Batch) {
			for _, id := range ids {
				b.DeleteSession(id)
			}
		}); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for count(t, d, `SELECT count(*) FROM mqtt_log`) > 0 {
			if time.Now().After(deadline) {
				t.Fatal("the log is not empty without sessions")
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// A message in the queue of a session costs a few dozen bytes of memory, also
// when each has had a commit of its own.
func TestMemory(t *testing.T) {
	for _, tt := range []struct{ messages, together int }{{100_000, 1000}, {6000, 1}} {
		t.Run(fmt.Sprint(tt.together, " a commit"), func(t *testing.T) {
			d := dbtest.SQLite(t)
			l, _ := open(t, d, msglog.Options{Cache: 1})
			var ids []msglog.SessionID
			for i := range 100 {
				ids = append(ids, newSession(t, l, fmt.Sprint("c", i)))
			}
			before := heap()
			for i := range tt.messages / tt.together {
				if err := appended(t, l, func(b *msglog.Batch) {
					for j := range tt.together {
						b.Message(binary.BigEndian.AppendUint64(nil, uint64(i*tt.together+j)), []msglog.Target{{Session: ids[(i+j)%100], QoS: 1}})
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			each := float64(int64(heap())-int64(before)) / float64(tt.messages)
			rows := count(t, d, `SELECT count(*) FROM mqtt_log`)
			t.Logf("%.1f bytes a message, %d rows", each, rows)
			if each > 64 && tt.together > 1 || rows > 1300 {
				t.Errorf("%.1f bytes a message, %d rows", each, rows)
			}
			l.Close()
			l, loaded := open(t, d, msglog.Options{})
			n := 0
			for id, s := range loaded {
				last := uint64(0)
				for i, q := range s.Queue {
					n++
					data, err := l.Message(t.Context(), id, q.Seq)
					if err != nil {
						t.Fatal(err)
					}
					if v := binary.BigEndian.Uint64(data); i > 0 && v <= last {
						t.Fatalf("message %d after %d", v, last)
					} else {
						last = v
					}
				}
			}
			if n != tt.messages {
				t.Fatalf("%d messages, want %d", n, tt.messages)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A damaged row is told, not skipped: it holds what was acknowledged.
func TestDamaged(t *testing.T) {
	d := dbtest.SQLite(t)
	l, _ := open(t, d, msglog.Options{})
	id := newSession(t, l, "c")
	if err := appended(t, l, func(b *msglog.Batch) { b.Message([]byte("x"), []msglog.Target{{Session: id, QoS: 1}}) }); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE mqtt_log SET data = $1`, []byte("ml\x01\x00 and no more than that, which is not a row"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	l, err := msglog.Open(t.Context(), d, msglog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Load(t.Context(), nothing, nothingRetained); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Fatal(err)
	}
	l.Close()
}

// TestKill kills a process that appends, settles and moves as fast as it can,
// again and again: what it was told is durable is there, and what it was told is
// settled is not.
func TestKill(t *testing.T) {
	if url := os.Getenv("MSGLOG_TEST_KILL"); url != "" {
		victim(t, url)
		return
	}
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			url := "sqlite:" + filepath.Join(t.TempDir(), "kill.db")
			if kind == "postgres" {
				url = dbtest.PostgresURL(t)
			}
			queued := make(map[uint64]uint64) // seq: content
			for range rounds {
				queued = killed(t, url, queued)
			}
		})
	}
}

// killed runs a victim for a moment and returns what is queued then.
func killed(t *testing.T, url string, queued map[uint64]uint64) map[uint64]uint64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "MSGLOG_TEST_KILL="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(300*time.Millisecond+rand.N(500*time.Millisecond), func() { cmd.Process.Kill() })
	defer timer.Stop()
	// "+ seq content": durable; "- seq": about to be settled; "= seq": durably.
	maybe, settled := make(map[uint64]bool), make(map[uint64]bool)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the last line may be torn
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		seq, _ := strconv.ParseUint(f[1], 10, 64)
		switch f[0] {
		case "+":
			queued[seq], _ = strconv.ParseUint(f[2], 10, 64)
		case "-":
			maybe[seq] = true
		case "=":
			delete(maybe, seq)
			delete(queued, seq)
			settled[seq] = true
		}
	}
	io.Copy(io.Discard, out)
	cmd.Wait()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := msglog.Open(t.Context(), d, msglog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(map[uint64]uint64)
	var ids []msglog.SessionID
	err = l.Load(t.Context(), func(s *msglog.Loaded) error {
		for _, q := range s.Queue {
			got[q.Seq] = 0
		}
		ids = append(ids, s.ID)
		return nil
	}, nothingRetained)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range got {
		if settled[seq] {
			t.Errorf("message %d was settled and is there", seq)
		}
		data, err := l.Message(t.Context(), ids[0], seq)
		if err != nil {
			t.Fatal(err)
		}
		got[seq] = binary.BigEndian.Uint64(data)
	}
	for seq, content := range queued {
		if maybe[seq] {
			continue
		}
		if g, ok := got[seq]; !ok || g != content {
			t.Fatalf("message %d is lost (%d of %d are there)", seq, len(got), len(queued))
		}
	}
	t.Logf("%d messages durable and queued, %d found, %d perhaps settled", len(queued), len(got), len(maybe))
	return got
}

// victim appends until it is killed.
func victim(t *testing.T, url string) {
	d, err := db.Open(t.Context(), url, db.Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := msglog.Open(t.Context(), d, msglog.Options{Slack: 1, Lazy: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var queue []uint64
	var id msglog.SessionID
	if err := l.Load(t.Context(), func(s *msglog.Loaded) error {
		id = s.ID
		for _, q := range s.Queue {
			queue = append(queue, q.Seq)
		}
		return nil
	}, nothingRetained); err != nil {
		t.Fatal(err)
	}
	if id == 0 {
		id = newSession(t, l, "victim")
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	for {
		var b msglog.Batch
		var contents, gone []uint64
		for range 1 + rng.IntN(30) {
			contents = append(contents, rng.Uint64())
			data := binary.BigEndian.AppendUint64(nil, contents[len(contents)-1])
			b.Message(append(data, make([]byte, rng.IntN(2000))...), []msglog.Target{{Session: id, QoS: 1}})
		}
		messages := len(contents)
		for range rng.IntN(30) {
			if len(queue) == 0 {
				break
			}
			k := rng.IntN(len(queue))
			gone = append(gone, queue[k])
			fmt.Println("-", queue[k])
			b.Settled(id, queue[k])
			queue = append(queue[:k], queue[k+1:]...)
		}
		done := make(chan error, 1)
		if err := l.Append(&b, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var lines strings.Builder
		for i := range messages {
			fmt.Fprintln(&lines, "+", b.Seq(i), contents[i])
			queue = append(queue, b.Seq(i))
		}
		for _, seq := range gone {
			fmt.Fprintln(&lines, "=", seq)
		}
		fmt.Print(lines.String())
	}
}
