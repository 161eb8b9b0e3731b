package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// signature measures what the server does for each signed request: parsing
// its signature and verifying it, with the derived key at hand.
func signature(s *server) (row, error) {
	wire, err := s.signed("GET", "/things/bench", "")
	if err != nil {
		return row{}, err
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return row{}, err
	}
	var keys sigv4.KeyCache
	var fault error
	v, err := median(func() (float64, error) {
		res := testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				sig, err := sigv4.Parse(r)
				if err == nil {
					err = sig.Verify(r, keys.Get(sig, s.root.SecretAccessKey), sigv4.Body(nil), time.Now())
				}
				if err != nil {
					fault = err
				}
			}
		})
		return float64(res.NsPerOp()), fault
	})
	return row{"signature parsed and verified", fmt.Sprintf("%.1f µs", v/1000), fmt.Sprintf("%.0f per second and core", 1e9/v), ""}, err
}
