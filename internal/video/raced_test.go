package video

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
)

// Connections that end well or amid a fragment, chunks that are parked, taken up, full and too old, streams that are deleted
// and made again under the same name, the reaper, and a service that is closed and started again, all at once: what was
// acknowledged of a stream that is there is there, and nothing is left of the others.
func TestChunksRaced(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f.Limits.ChunkIdle, f.Limits.ChunkBytes, f.ReapEvery = 2*time.Millisecond, 4000, time.Millisecond
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		names := []string{"a", "b", "c"}
		for _, name := range names {
			f.create(t, name, 24)
		}
		var mu sync.Mutex
		persisted := map[string]map[string][]byte{} // by stream, by number
		var producers sync.WaitGroup
		stop := make(chan struct{})
		for p := range 6 {
			producers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					st, err := f.stream(t.Context(), account, region, names[rand.N(len(names))])
					if err != nil {
						continue // it is being made again
					}
					f.putRaced(t, st, fmt.Sprintf("%d %d", p, i), func(number string, sent []byte) {
						mu.Lock()
						defer mu.Unlock()
						if persisted[st.ID] == nil {
							persisted[st.ID] = map[string][]byte{}
						}
						persisted[st.ID][number] = sent
					})
				}
			})
		}
		began := time.Now()
		for i := 0; time.Since(began) < time.Second; i++ {
			time.Sleep(rand.N(20 * time.Millisecond))
			if i%4 == 3 {
				must(0, f.Service.Close())
				must(0, f.Service.Start(t.Context()))
				continue
			}
			st := must(f.stream(t.Context(), account, region, names[i%2])) // c lives on
			if _, err := call(t, f, f.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: st.ARN()}); err != nil {
				t.Fatal(err)
			}
			f.create(t, st.Name, 24)
		}
		close(stop)
		producers.Wait()
		must(0, f.Service.Close())
		must(0, f.Service.Start(t.Context()))
		must(0, f.reapOnce(t.Context()))
		must(0, f.Service.Close())

		live := map[string]bool{}
		checked := 0
		for _, name := range names {
			st := must(f.stream(t.Context(), account, region, name))
			live[st.ID] = true
			for _, number := range slices.Sorted(maps.Keys(persisted[st.ID])) {
				one, err := f.fragmentByNumber(t.Context(), st, number, 0)
				if err != nil {
					t.Errorf("fragment %s of %s was PERSISTED: %v", number, name, err)
					continue
				}
				b := must(os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(one.chunk))))
				if got := b[one.mediaOffset:][:one.mediaSize]; !bytes.Equal(got, persisted[st.ID][number]) {
					t.Errorf("fragment %s of %s is not as it was sent", number, name)
				}
				checked++
			}
		}
		if left := must(f.leased(t.Context(), chunkRow{})); len(left) != 0 {
			t.Errorf("leases %v", left)
		}
		if r, text := f.verified(t, false); r.Faults != 0 || checked == 0 || r.Fragments < checked {
			t.Errorf("%d checked, %+v\n%s", checked, r, text)
		}
		err := filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && !live[filepath.Base(filepath.Dir(path))] {
				t.Errorf("%s is left of a deleted stream", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		t.Logf("%d fragments persisted in %d streams, %d of those that are left", count(persisted), len(persisted), checked)
	})
}

func count(all map[string]map[string][]byte) (n int) {
	for _, of := range all {
		n += len(of)
	}
	return n
}

// putRaced sends some fragments over one connection, which ends well or not, and tells which were persisted.
func (f *fixture) putRaced(t *testing.T, st *Stream, text string, persisted func(number string, sent []byte)) {
	h := header(1)
	if rand.N(3) == 0 {
		h = slices.Concat(h[:len(h)-1], []byte{2}) // another track type
	}
	body := slices.Clone(h)
	var sent [][]byte
	for i := range 1 + rand.N(3) {
		c := cluster(int64(i)*1000, block(1, 0, 100+rand.N(1000)))
		copy(c[len(c)-50:], fmt.Sprintf("%-20s", text))
		sent = append(sent, c)
		body = append(body, c...)
		if rand.N(2) == 0 {
			body = append(body, tags(tagEndOfFragment, "")...)
		}
	}
	var from io.Reader = bytes.NewReader(body)
	if rand.N(3) == 0 {
		from = io.MultiReader(bytes.NewReader(body[:len(body)-rand.N(60)]), errReader{io.ErrUnexpectedEOF})
	}
	next := 0
	w := &wire{on: func(a ack) {
		if a.EventType == "PERSISTED" {
			persisted(a.FragmentNumber, sent[next])
			next++
		}
	}}
	if err := f.ingest(t.Context(), st, false, 0, from, w); errors.Is(err, errClosing) {
		time.Sleep(time.Millisecond)
	}
}
