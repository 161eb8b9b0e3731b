package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	endian "encoding/binary"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/db"
)

// powerCameras is how many send at once when the machine stops.
const powerCameras = 6

// TestKillWithPowerLoss ends the server by kill -9 in the middle of PutMedia and takes away what a machine that stops may
// lose besides: of the database's log all that came behind the leases of the chunks, a part of it, or none, and of the chunks
// what came behind the last fragment that was synced. All fragments that were PERSISTED are there afterwards, byte for
// byte, what else is there is whole, and nothing is wrong with index and files.
func TestKillWithPowerLoss(t *testing.T) {
	s := start(t)
	doc := documents(t, media(t))[0]
	cameras := make([]*witness, powerCameras)
	for i := range cameras {
		cameras[i] = &witness{stream: fmt.Sprintf("cam-%d", i), doc: doc, short: i%2 == 0, sent: map[string]bool{}, persisted: map[string][]byte{}}
		createStream(t, s, cameras[i].stream)
	}
	lost, fragments := 0, 0
	for round := range *killRounds {
		log := s.recordUntilKilled(t, cameras)
		lost += s.losePower(t, round, log)
		if round%2 == 1 {
			s.wantVerified(t) // what the next start has to do is no fault
		}
		s.start()
		for _, c := range cameras {
			s.wantPersisted(t, c)
		}
		s.stop()
		s.wantVerified(t)
		s.start()
	}
	for _, c := range cameras {
		c.checked = "" // what a round left is still there after the later ones
		s.wantPersisted(t, c)
		fragments += len(c.persisted)
	}
	t.Logf("%d rounds: %d fragments acknowledged, %d rows of the index lost", *killRounds, fragments, lost)
	if lost < *killRounds || fragments < *killRounds*powerCameras {
		t.Error("not enough was acknowledged, or lost")
	}
}

// witness is a camera that knows what it has sent. Its fragments are all different.
type witness struct {
	stream    string
	doc       document
	short     bool              // its connections end after three fragments: the next goes on in their chunk
	sent      map[string]bool   // clusters
	persisted map[string][]byte // by number
	checked   string            // the last number that was read after an earlier round
}

// record makes PutMedia calls until one fails. The first holds back its first fragment's end until begin is closed, and
// says when that fragment has a chunk.
func (c *witness) record(ctx context.Context, s *server, leased func(), begin chan struct{}, count *atomic.Int64) {
	leased = sync.OnceFunc(leased)
	defer leased()
	for first := true; ; first = false {
		p, err := s.putMedia(ctx, s.rootKey(), c.stream)
		if err != nil {
			return
		}
		n := len(c.doc.clusters)
		if c.short {
			n = 3
		}
		list := make([][]byte, n)
		for i := range list {
			list[i] = slices.Clone(c.doc.clusters[i])
			_, _ = rand.Read(list[i][len(list[i])-16:]) // in the last frame
			c.sent[string(list[i])] = true
		}
		body := slices.Concat(append([][]byte{c.doc.header.Raw}, list...)...)
		go func() {
			held := len(c.doc.header.Raw) + len(list[0])/2
			if _, err := p.w.Write(body[:held]); err != nil {
				return
			}
			if first {
				<-begin
			}
			for b := body[held:]; len(b) > 0; b = b[min(len(b), 16<<10):] {
				if _, err := p.w.Write(b[:min(len(b), 16<<10)]); err != nil {
					return
				}
			}
			_ = p.end()
		}()
		err = p.answer()
		for done := 0; err == nil; {
			var a ack
			if err = p.acks.Decode(&a); err != nil {
				break
			}
			switch a.EventType {
			case "BUFFERING":
				leased()
			case "PERSISTED":
				c.persisted[a.FragmentNumber] = list[done]
				done++
				count.Add(1)
			}
		}
		_ = p.conn.Close()
		if err != io.EOF || p.resp.StatusCode != http.StatusOK {
			return
		}
	}
}

// walHeader is the size of the header of SQLite's log and of that of a frame, behind which comes a page.
const walHeader, frameHeader = 32, 24

// walState is how long the database's log is, and which: its salts change when it begins anew.
type walState struct {
	size, page int64
	salts      [8]byte
}

func (s *server) wal() string { return filepath.Join(s.dir, "thingd.db-wal") }

func (s *server) walState(t *testing.T) walState {
	t.Helper()
	b, err := os.ReadFile(s.wal())
	if err != nil || len(b) < walHeader {
		t.Fatalf("a log of %d bytes: %v", len(b), err)
	}
	return walState{int64(len(b)), int64(endian.BigEndian.Uint32(b[8:])), [8]byte(b[16:])}
}

// recordUntilKilled has cameras send until it kills the server, and answers the log as it was when all had a chunk, and
// none a fragment.
func (s *server) recordUntilKilled(t *testing.T, cameras []*witness) walState {
	t.Helper()
	var leased, wg sync.WaitGroup
	var count atomic.Int64
	begin := make(chan struct{})
	for _, c := range cameras {
		leased.Add(1)
		wg.Go(func() { c.record(t.Context(), s, leased.Done, begin, &count) })
	}
	leased.Wait()
	log := s.walState(t)
	close(begin)
	most := int64(len(cameras)) * (4 + mrand.Int64N(8))
	for deadline := time.Now().Add(20 * time.Second); count.Load() < most && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	s.kill()
	wg.Wait()
	return log
}

// losePower takes from the database's log and from the chunks what may be lost, and answers how many rows of fragments
// that were.
func (s *server) losePower(t *testing.T, round int, log walState) int {
	t.Helper()
	now := s.walState(t)
	shm, err := os.ReadFile(strings.TrimSuffix(s.wal(), "wal") + "shm")
	if err != nil || len(shm) < 100 {
		t.Fatalf("%d bytes of the log's index: %v", len(shm), err)
	}
	// What was moved into the database was made durable before, and so was what came before a log that began anew.
	least := walHeader + int64(endian.NativeEndian.Uint32(shm[96:]))*(frameHeader+now.page)
	if now.salts == log.salts {
		least = max(least, log.size)
	}
	if round%3 == 1 {
		least += mrand.Int64N(now.size - least + 1) // amid a frame, mostly
	}
	had, left := s.index(t, now.size), s.index(t, least)
	switch {
	case round%3 == 2:
		left = had // the log is all there
	case left.leases != had.leases:
		// A chunk was leased since, and that is durable.
		t.Logf("round %d: %d of %d chunks are in the log up to %d of %d: it is left as it is", round, left.leases, had.leases, least, now.size)
		left = had
	default:
		if err := os.Truncate(s.wal(), least); err != nil {
			t.Fatal(err)
		}
	}
	for name, end := range had.ends {
		s.loseTail(t, filepath.Join(s.dir, "video", filepath.FromSlash(name)), int(end), round%2 == 0)
	}
	return had.fragments - left.fragments
}

// index is what a database says of the chunks, and where the last fragment that it knows ends in each that is leased.
type index struct {
	leases, fragments int
	ends              map[string]int64
}

// index reads a copy of the database whose log is cut.
func (s *server) index(t *testing.T, size int64) index {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, name := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(s.dir, "thingd.db") + name)
		if err == nil && name != "" {
			b = b[:size]
		}
		if err == nil {
			err = os.WriteFile(to+name, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := db.Open(t.Context(), "sqlite:"+to, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	x := index{ends: map[string]int64{}}
	err = d.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM video_chunks), (SELECT count(*) FROM video_fragments)`).Scan(&x.leases, &x.fragments)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.Query(t.Context(), `SELECT chunk, MAX(media_offset + media_size) FROM video_fragments
		WHERE chunk IN (SELECT chunk FROM video_chunks WHERE state = 0) GROUP BY chunk`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		var end int64
		if err := rows.Scan(&name, &end); err != nil {
			t.Fatal(err)
		}
		x.ends[name] = end
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return x
}

// loseTail cuts a chunk off, or zeroes it, somewhere behind its last fragment and that one's record. What is in the index was
// synced before; what comes behind it may not have been.
func (s *server) loseTail(t *testing.T, name string, end int, short bool) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < end+2 || b[end] != 0xEC { // the record, a Void element
		t.Fatalf("no record behind the fragment that ends at %d of %d bytes of %s", end, len(b), name)
	}
	end += 2 + int(b[end+1]&0x7F)
	if b = b[:end+mrand.IntN(len(b)-end+1)]; !short {
		b = append(b, make([]byte, mrand.IntN(4096))...)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantPersisted holds that all that a camera knows to be persisted is listed and as it was sent, and that the rest of what
// is listed was sent, too. What was read before is not read again.
func (s *server) wantPersisted(t *testing.T, c *witness) {
	t.Helper()
	listed := s.listed(t, c.stream)
	there := map[string]bool{}
	for _, n := range listed {
		there[n] = true
	}
	for n := range c.persisted {
		if !there[n] {
			t.Errorf("fragment %s of %s was PERSISTED and is lost", n, c.stream)
		}
	}
	slices.Sort(listed)
	listed = slices.DeleteFunc(listed, func(n string) bool { return n <= c.checked })
	for i, cluster := range s.fragments(t, c.stream, listed) {
		n := listed[i]
		c.checked = n
		if sent, ok := c.persisted[n]; ok && !bytes.Equal(cluster, sent) || !c.sent[string(cluster)] {
			t.Errorf("fragment %s of %s is not as it was sent: %d bytes", n, c.stream, len(cluster))
		}
	}
}

// wantVerified holds that index and files of the stopped server fit.
func (s *server) wantVerified(t *testing.T) {
	t.Helper()
	if out, err := exec.Command(binary, "video", "verify", "--dry-run", "--quiet", "--data", s.dir).CombinedOutput(); err != nil {
		t.Errorf("video verify: %v\n%s", err, out)
	}
}
