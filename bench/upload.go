package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// serveUploads is a plain HTTP server: it writes each body to a file, with an fdatasync after every so many bytes,
// and answers when all is on disk. It prints its address.
func serveUploads(dir string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	var n atomic.Int64
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a benchmark
		every, err := strconv.ParseInt(r.Header.Get("X-Every"), 10, 64)
		if err == nil {
			err = upload(r.Body, filepath.Join(dir, strconv.FormatInt(n.Add(1), 10)), every)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
}

func upload(body io.Reader, name string, every int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = io.CopyN(struct{ io.Writer }{f}, body, every)
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.Join(err, datasync(f))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, f.Close(), os.Remove(name))
}

// video measures PutMedia: uploads, cameras or all.
func video(what string) ([]row, error) {
	var rows []row
	if what != "cameras" {
		for _, size := range []int{100 << 10, 1 << 20} {
			for _, at := range []int{1, *clients} {
				r, err := compareUploads(size, at)
				if err != nil {
					return nil, err
				}
				fmt.Fprintf(os.Stderr, "%-56s %-10s %s\n", r.what, r.figure, r.beside)
				rows = append(rows, r)
			}
		}
	}
	if what != "uploads" {
		fleet, err := fleetOfCameras()
		if err != nil {
			return nil, err
		}
		rows = append(rows, fleet...)
	}
	return rows, nil
}

// fragmentsInBody is how many fragments a PutMedia, or an upload, has.
const fragmentsInBody = 15

// compareUploads sends the same bytes to thingd, by PutMedia, and to a plain upload server, rounds alternating: bodies
// of fragments of a size, each durable before the next is waited for by nobody.
func compareUploads(fragment, at int) (row, error) {
	s, err := start("--limits", "mqtt")
	if err != nil {
		return row{}, err
	}
	defer s.stop()
	for i := range at {
		if err := s.createVideoStream(fmt.Sprintf("up-%d", i)); err != nil {
			return row{}, err
		}
	}
	dir, err := os.MkdirTemp("", "thingd-bench-")
	if err != nil {
		return row{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := os.Executable()
	if err != nil {
		return row{}, err
	}
	plain := exec.Command(self, "-upload-server", dir)
	out, err := plain.StdoutPipe()
	if err != nil {
		return row{}, err
	}
	if err := plain.Start(); err != nil {
		return row{}, err
	}
	defer func() { _ = plain.Process.Kill(); _ = plain.Wait() }()
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		return row{}, err
	}

	body := videoHeader()
	for i := range fragmentsInBody {
		body = append(body, clusterHead(time.Now().UnixMilli()+int64(i)*2000)...)
		for j := range 10 {
			body = append(body, frame(int16(j*200), j == 0, fragment/10)...)
		}
	}
	if err := s.settle(); err != nil {
		return row{}, err
	}
	var best [2]float64
	ratio, err := median(func() (float64, error) {
		var profiled chan error
		if *profiles != "" {
			profiled = make(chan error, 1)
			go func() {
				cpu := fmt.Sprintf("profile?seconds=%d", max(1, int(duration.Seconds())))
				profiled <- s.profile(cpu, filepath.Join(*profiles, fmt.Sprintf("uploads-%dk-%d.pprof", fragment>>10, at)))
			}()
		}
		ours, err := throughput(at, len(body), func(i int) error { return s.putBody(fmt.Sprintf("up-%d", i), body) })
		if profiled != nil {
			err = errors.Join(err, <-profiled)
		}
		if err != nil {
			return 0, err
		}
		theirs, err := throughput(at, len(body), func(int) error { return plainUpload(addr, body) })
		best[0], best[1] = max(best[0], ours), max(best[1], theirs)
		return ours / theirs, err
	})
	what := fmt.Sprintf("PutMedia, durable, fragments of %d KiB, %d at once", fragment>>10, at)
	return row{what, fmt.Sprintf("%.0f MB/s", best[0]), fmt.Sprintf("plain upload %.0f MB/s: %.0f %%", best[1], 100*ratio), "80 %"}, err
}

// plainUpload sends a body as putBody does, on a connection of its own and in the same chunks, and waits for its answer.
func plainUpload(addr string, body []byte) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nX-Every: %d\r\n\r\n", addr, len(body)/fragmentsInBody+1)
	if err != nil {
		return err
	}
	if err := (&chunkWriter{conn: conn}).sendAll(body); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return err
}

// throughput is how many megabytes a second some clients get through, each sending bodies for a round.
func throughput(at, size int, send func(i int) error) (float64, error) {
	var bytes atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, at)
	begin := time.Now()
	for i := range at {
		wg.Go(func() {
			for time.Since(begin) < *duration {
				if err := send(i); err != nil {
					errs <- err
					return
				}
				bytes.Add(int64(size))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	return float64(bytes.Load()) / 1e6 / took.Seconds(), nil
}

// putBody sends a body and waits until all of it is persisted.
func (s *server) putBody(stream string, body []byte) error {
	p, err := s.putMedia(stream)
	if err != nil {
		return err
	}
	defer p.close()
	sent := make(chan error, 1)
	go func() { sent <- p.w.sendAll(body) }()
	persisted := 0
	for {
		var a ack
		if err := p.acks.Decode(&a); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		switch a.EventType {
		case "PERSISTED":
			persisted++
		case "ERROR":
			return fmt.Errorf("PutMedia ends with %s", a.ErrorCode)
		}
	}
	if persisted != fragmentsInBody {
		return fmt.Errorf("%d of %d fragments are persisted", persisted, fragmentsInBody)
	}
	return <-sent
}
