package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// What a camera of 1 Mbit/s sends: 25 frames of 5,000 bytes a second, a fragment every two seconds.
const (
	frameTime     = 40 * time.Millisecond
	frameBytes    = 5000
	fragmentTime  = 2 * time.Second
	warmUp        = 10 * time.Second
	camerasRounds = 10 // of -for
)

// fleetOfCameras measures a server at which many cameras send at once: what it takes of processor and memory, and how
// long an END_OF_FRAGMENT waits for its PERSISTED.
func fleetOfCameras() ([]row, error) {
	s, err := start()
	if err != nil {
		return nil, err
	}
	defer s.stop()
	for i := range *cameras {
		if err := s.createVideoStream(fmt.Sprintf("cam-%d", i)); err != nil {
			return nil, err
		}
	}
	if err := s.settle(); err != nil { // it makes keys for certificates first
		return nil, err
	}
	debug.SetGCPercent(800) // cameras have processors of their own
	idle, err := s.resident()
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	waits := make([][]time.Duration, *cameras)
	errs := make(chan error, *cameras)
	var wg sync.WaitGroup
	counting := time.Now().Add(warmUp)
	for i := range *cameras {
		wg.Go(func() {
			err := s.film(fmt.Sprintf("cam-%d", i), stop, func(at time.Time, wait time.Duration) {
				if at.After(counting) {
					waits[i] = append(waits[i], wait)
				}
			})
			if err != nil {
				errs <- err
			}
		})
	}
	time.Sleep(warmUp)
	before, err := s.used()
	if err != nil {
		return nil, err
	}
	earlier, err := s.persisting()
	if err != nil {
		return nil, err
	}
	disk, err := probeDisk(s.dir)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if *profiles != "" {
		cpu := fmt.Sprintf("profile?seconds=%d", max(1, int((camerasRounds**duration).Seconds())))
		if err := s.profile(cpu, filepath.Join(*profiles, "cameras-cpu.pprof")); err != nil {
			return nil, err
		}
	}
	time.Sleep(camerasRounds**duration - time.Since(begin))
	after, err := s.used()
	if err != nil {
		return nil, err
	}
	now, err := s.persisting()
	if err != nil {
		return nil, err
	}
	probed, err := disk.end()
	if err != nil {
		return nil, err
	}
	cores := float64(after-before) / float64(time.Since(begin))
	busy, err := s.resident()
	if err == nil {
		err = s.memoryProfiles("cameras")
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
	}
	all := slices.Concat(waits...)
	if err != nil || len(all) == 0 {
		return nil, errors.Join(err, errors.New("no fragment was persisted"))
	}
	slices.Sort(all)
	at := func(part float64) time.Duration { return quantile(all, part) }
	step := func(what, name string) row {
		return row{"  of it, " + what, fmt.Sprintf("%v on average", now.mean(name, earlier)),
			fmt.Sprintf("%.1f %% within 2 ms, %.1f %% within 4 ms", now.within(name, "0.002", earlier), now.within(name, "0.004", earlier)), ""}
	}
	of := fmt.Sprintf("%d cameras at 1 Mbit/s: ", *cameras)
	return []row{
		{of + "processor", fmt.Sprintf("%.2f cores", cores), "", ""},
		{of + "memory of each", fmt.Sprintf("%d KiB", (busy-idle) / *cameras >> 10), fmt.Sprintf("%d MB in all, %d MB before", busy>>20, idle>>20), "64 KiB"},
		{of + "END_OF_FRAGMENT to PERSISTED, p99", at(0.99).String(), fmt.Sprintf("p50 %v, p999 %v, most %v, of %d", at(0.5), at(0.999), all[len(all)-1].Round(time.Microsecond), len(all)), "5 ms"},
		step("fdatasync of its bytes", "sync"), step("the index's transaction", "index"), probed,
	}, nil
}

// memoryProfiles writes what is in the server's memory to files, if that is wanted: what lives of the heap, after a
// collection, and the stacks of its goroutines.
func (s *server) memoryProfiles(name string) error {
	if *profiles == "" {
		return nil
	}
	for kind, query := range map[string]string{"heap": "heap?gc=1", "goroutine": "goroutine", "memory": "heap?debug=1"} {
		if err := s.profile(query, filepath.Join(*profiles, name+"-"+kind+".pprof")); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) profile(query, file string) error {
	resp, err := http.Get("http://" + s.at.Ops + "/debug/pprof/" + query)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}

// frames are those of a fragment.
var frames = func() (list [fragmentTime / frameTime][]byte) {
	for i := range list {
		list[i] = frame(int16(i)*int16(frameTime/time.Millisecond), i == 0, frameBytes)
	}
	return list
}()

// film sends as a camera does until stop is closed, and reports each fragment's wait.
func (s *server) film(stream string, stop <-chan struct{}, persisted func(at time.Time, wait time.Duration)) error {
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(fragmentTime)))): // cameras do not start together
	case <-stop:
		return nil
	}
	p, err := s.putMedia(stream)
	if err != nil {
		return err
	}
	defer p.close()
	var mu sync.Mutex
	ended := map[int64]time.Time{} // by timecode
	done := make(chan error, 1)
	go func() {
		for {
			var a ack
			if err := p.acks.Decode(&a); err != nil {
				if errors.Is(err, io.EOF) {
					err = nil
				}
				done <- err
				return
			}
			if a.EventType == "ERROR" {
				done <- fmt.Errorf("%s: %s", stream, a.ErrorCode)
				return
			}
			if a.EventType == "PERSISTED" {
				now := time.Now()
				mu.Lock()
				at, ok := ended[a.FragmentTimecode] // not of the one that the end of the body ends
				delete(ended, a.FragmentTimecode)
				mu.Unlock()
				if ok {
					persisted(now, now.Sub(at))
				}
			}
		}
	}()
	eof := endOfFragment()
	if err := p.w.send(videoHeader()); err != nil {
		return err
	}
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	var b []byte
	for {
		ms := time.Now().UnixMilli()
		for i := range frames {
			select {
			case <-stop:
				return errors.Join(p.w.end(), <-done)
			case err := <-done:
				return errors.Join(fmt.Errorf("%s ended early", stream), err)
			case <-tick.C:
			}
			b = b[:0]
			if i == 0 {
				b = append(b, clusterHead(ms)...)
			}
			b = append(b, frames[i]...)
			if i == len(frames)-1 {
				b = append(b, eof...)
				mu.Lock()
				ended[ms] = time.Now()
				mu.Unlock()
			}
			if err := p.w.send(b); err != nil {
				return err
			}
		}
	}
}
