package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
)

// signed is the wire form of a signed request.
func (s *server) signed(method, path, body string) ([]byte, error) {
	r, err := http.NewRequest(method, "http://"+s.apiHost()+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if err := sigv4.Sign(r, []byte(body), s.credentials(), "us-east-1", "iot", time.Now()); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// conn is a kept-alive connection that sends ready-made requests.
type conn struct {
	c net.Conn
	r *bufio.Reader
}

func dial(host string) (*conn, error) {
	c, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

func (c *conn) do(request []byte) error {
	if _, err := c.c.Write(request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}

// rate runs work in each client's loop for one round: calls per second.
func rate(work func(client int) (func() error, error)) (float64, error) {
	var n atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, *clients)
	begin := time.Now()
	for i := range *clients {
		step, err := work(i)
		if err != nil {
			return 0, err
		}
		wg.Go(func() {
			for time.Since(begin) < *duration {
				if err := step(); err != nil {
					errs <- err
					return
				}
				n.Add(1)
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
	return float64(n.Load()) / took.Seconds(), nil
}

func describeThing(s *server) (row, error) {
	c, err := dial(s.apiHost())
	if err != nil {
		return row{}, err
	}
	create, err := s.signed("POST", "/things/bench", "{}")
	if err != nil {
		return row{}, err
	}
	if err := c.do(create); err != nil {
		return row{}, err
	}
	v, err := median(func() (float64, error) {
		return rate(func(int) (func() error, error) {
			request, err := s.signed("GET", "/things/bench", "")
			if err != nil {
				return nil, err
			}
			c, err := dial(s.apiHost())
			return func() error { return c.do(request) }, err
		})
	})
	return row{fmt.Sprintf("describe-thing per second, %d clients", *clients), fmt.Sprintf("%.0f", v), "moto: 140 (not of this run)", "15,000"}, err
}

func createThing(s *server) (row, error) {
	var name atomic.Int64
	v, err := median(func() (float64, error) {
		return rate(func(int) (func() error, error) {
			c, err := dial(s.apiHost())
			return func() error {
				request, err := s.signed("POST", fmt.Sprintf("/things/bench-%d", name.Add(1)), "{}")
				if err != nil {
					return err
				}
				return c.do(request)
			}, err
		})
	})
	return row{fmt.Sprintf("create-thing per second, durable, %d clients", *clients), fmt.Sprintf("%.0f", v), "moto: 210, in memory (not of this run)", "5,000"}, err
}
