package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// probe is what a disk takes for an fdatasync of its own, beside a server at work: what no server can go below.
type probe struct {
	stop chan struct{}
	done chan struct{}
	took []time.Duration
	err  error
}

// probeDisk appends a fragment's bytes to a file in dir and syncs it, twenty times a second, until end is called.
func probeDisk(dir string) (*probe, error) {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return nil, err
	}
	p := &probe{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		b := make([]byte, frameBytes*int(fragmentTime/frameTime))
		for p.err == nil {
			select {
			case <-p.stop:
				p.err = errors.Join(f.Close(), os.Remove(f.Name()))
				return
			case <-tick.C:
			}
			if _, p.err = f.Write(b); p.err == nil {
				begin := time.Now()
				p.err = datasync(f)
				p.took = append(p.took, time.Since(begin))
			}
		}
	}()
	return p, nil
}

func (p *probe) end() (row, error) {
	close(p.stop)
	<-p.done
	if p.err != nil || len(p.took) == 0 {
		return row{}, errors.Join(p.err, errors.New("the disk was not probed"))
	}
	slices.Sort(p.took)
	at := func(part float64) string { return quantile(p.took, part).String() }
	return row{"  a file's own fdatasync beside it, p99", at(0.99), fmt.Sprintf("p50 %s, p999 %s, of %d", at(0.5), at(0.999), len(p.took)), ""}, nil
}

// quantile is of durations in their order.
func quantile(sorted []time.Duration, part float64) time.Duration {
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)].Round(10 * time.Microsecond)
}

// persisting is the seconds that fragments have waited for the disk, and how many did, by step.
type persisting map[string]float64

func (s *server) persisting() (persisting, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.at.Ops+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // what compresses would be measured as the cameras' memory
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	p := persisting{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "thingd_video_persist_seconds_"); ok {
			var v float64
			name, value, _ := strings.Cut(rest, " ")
			if _, err := fmt.Sscan(value, &v); err != nil {
				return nil, err
			}
			p[name] = v
		}
	}
	return p, lines.Err()
}

// mean is a step's mean since an earlier look.
func (p persisting) mean(step string, earlier persisting) time.Duration {
	sum, count := fmt.Sprintf("sum{step=%q}", step), fmt.Sprintf("count{step=%q}", step)
	return time.Duration((p[sum] - earlier[sum]) / (p[count] - earlier[count]) * float64(time.Second)).Round(10 * time.Microsecond)
}

// within is the part of a step's fragments that waited for at most so many seconds, a bound of the histogram's.
func (p persisting) within(step, le string, earlier persisting) float64 {
	bucket, count := fmt.Sprintf("bucket{step=%q,le=%q}", step, le), fmt.Sprintf("count{step=%q}", step)
	return 100 * (p[bucket] - earlier[bucket]) / (p[count] - earlier[count])
}
