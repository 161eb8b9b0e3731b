package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/db"
)

// few is how many things the many are compared with.
const few = 1000

// scale compares a registry of many things with one of a few, on two servers at
// once, their rounds alternating: what else the machine does slows both.
func scale() ([]row, error) {
	databases := [2]string{}
	if *database != "" {
		var ok bool
		if databases[0], databases[1], ok = strings.Cut(*database, ","); !ok {
			return nil, errors.New("-database: two URLs are wanted, with a comma between")
		}
	}
	var pair [2]*sized
	for i, n := range [2]int{few, *things} {
		s, err := startSized(n, databases[i])
		if err != nil {
			return nil, err
		}
		defer s.stop()
		pair[i] = s
	}
	var rows []row
	for _, g := range gauges() {
		if !strings.Contains(g.what, *only) {
			continue
		}
		r, err := g.compare(pair[0], pair[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.what, err)
		}
		fmt.Fprintf(os.Stderr, "  %-56s %-8s %s\n", r.what, r.figure, r.beside)
		rows = append(rows, r)
	}
	return rows, nil
}

// sized is a server with n things in a database.
type sized struct {
	*server
	n        int
	database string
}

func startSized(n int, database string) (*sized, error) {
	var args []string
	if database != "" {
		args = []string{"--database", database}
	}
	srv, err := start(args...)
	if err != nil {
		return nil, err
	}
	s := &sized{srv, n, database}
	begin := time.Now()
	err = s.halt()
	if err == nil {
		err = s.fill()
	}
	if err == nil {
		err = s.run()
	}
	if err != nil {
		return nil, fmt.Errorf("fill in %d things: %w", n, err)
	}
	fmt.Fprintf(os.Stderr, "%d things after %v\n", n, time.Since(begin).Round(time.Second))
	return s, nil
}

// gauge is something that is measured: prepare makes what each client does
// again and again.
type gauge struct {
	what    string
	prepare func(*sized) (func(client int) (func() error, error), error)
}

func (g gauge) compare(a, b *sized) (row, error) {
	var work [2]func(int) (func() error, error)
	for i, s := range []*sized{a, b} {
		var err error
		if work[i], err = g.prepare(s); err != nil {
			return row{}, err
		}
	}
	var with [2]float64
	ratio, err := median(func() (float64, error) {
		var v [2]float64
		for i := range work {
			var err error
			if v[i], err = rate(work[i]); err != nil {
				return 0, err
			}
			with[i] = max(with[i], v[i])
		}
		return v[0] / v[1], nil
	})
	return row{g.what, fmt.Sprintf("%.0f", with[1]), fmt.Sprintf("%.0f with %d things: %.2f×", with[0], few, ratio), "2×"}, err
}

// halt ends the server; its directory stays.
func (s *server) halt() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// thingName names a thing of fill; half of them are of the type camera, one in
// a hundred of the type rare.
func thingName(i int) string { return fmt.Sprintf("dev-%08d", i) }

// fill puts the things into the database of a stopped server, each with
// attributes and a certificate.
func (s *sized) fill() error {
	ctx := context.Background()
	at := s.database
	if at == "" {
		at = "sqlite:" + filepath.Join(s.dir, "thingd.db")
	}
	d, err := db.Open(ctx, at, db.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	now := time.Now().UnixMilli()
	err = d.Write(ctx, func(tx *db.Tx) error {
		for _, name := range []string{"camera", "rare"} {
			if _, err := tx.Exec(ctx, `INSERT INTO iot_thing_types (account, region, name, id, description, searchable, created)
				VALUES ($1, 'us-east-1', $2, $2, '', '[]', $3)`, s.root.AccountID, name, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	const batch = 2000
	for from := 0; from < s.n; from += batch {
		if err := d.Write(ctx, func(tx *db.Tx) error { return s.fillBatch(ctx, tx, from, min(from+batch, s.n), now) }); err != nil {
			return err
		}
	}
	if s.database == "" {
		return nil
	}
	// As PostgreSQL does by itself some time after so many rows.
	return d.Write(ctx, func(tx *db.Tx) error { _, err := tx.Exec(ctx, `ANALYZE`); return err })
}

func (s *server) fillBatch(ctx context.Context, tx *db.Tx, from, to int, now int64) error {
	things := newInsert("iot_things (account, region, name, id, type, attributes, version, created)", 8)
	attributes := newInsert("iot_thing_attributes (account, region, thing, name, value, type)", 6)
	certificates := newInsert("iot_certificates (account, region, id, status, mode, pem, not_before, not_after, version, generation, created, modified)", 12)
	principals := newInsert("iot_thing_principals (account, region, thing, principal, certificate, exclusive, created)", 7)
	account, region := s.root.AccountID, "us-east-1"
	for i := from; i < to; i++ {
		name := thingName(i)
		var kind any
		switch {
		case i%100 == 1:
			kind = "rare"
		case i%2 == 0:
			kind = "camera"
		}
		values := map[string]string{"model": fmt.Sprintf("m%d", i%4), "serial": fmt.Sprintf("s%08d", (i*7919)%100_000_000), "site": fmt.Sprintf("site-%d", i/500)}
		document, err := json.Marshal(values)
		if err != nil {
			return err
		}
		things.add(account, region, name, fmt.Sprintf("00000000-0000-4000-8000-%012d", i), kind, string(document), 1, now+int64(i))
		for k, v := range values {
			attributes.add(account, region, name, k, v, kind)
		}
		id := certificateID(i)
		certificates.add(account, region, id, "ACTIVE", "DEFAULT", "-", now, now, 1, id, now+int64(i), now+int64(i))
		principals.add(account, region, name, "arn:aws:iot:"+region+":"+account+":cert/"+id, id, false, now)
	}
	for _, in := range []*insert{things, attributes, certificates, principals} {
		if err := in.run(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func certificateID(i int) string { return fmt.Sprintf("%064x", uint64(i)*0x9E3779B97F4A7C15) }

// insert is one INSERT of many rows.
type insert struct {
	into    string
	columns int
	args    []any
}

func newInsert(into string, columns int) *insert { return &insert{into: into, columns: columns} }

func (in *insert) add(values ...any) { in.args = append(in.args, values...) }

// run inserts. SQLite looks for each named parameter among all that came before
// it: statements are kept short.
func (in *insert) run(ctx context.Context, tx *db.Tx) error {
	most := 600 / in.columns * in.columns
	for len(in.args) > 0 {
		args := in.args[:min(most, len(in.args))]
		in.args = in.args[len(args):]
		var b strings.Builder
		b.WriteString("INSERT INTO " + in.into + " VALUES ")
		for i := range args {
			switch {
			case i%in.columns > 0:
				b.WriteByte(',')
			case i > 0:
				b.WriteString("),(")
			default:
				b.WriteByte('(')
			}
			fmt.Fprintf(&b, "$%d", i+1)
		}
		b.WriteByte(')')
		if _, err := tx.Exec(ctx, b.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// gauges are what has to hold whatever the number of things.
func gauges() []gauge {
	all := []gauge{
		{"describe-thing", func(s *sized) (func(int) (func() error, error), error) {
			return s.gets("/things/" + thingName(s.n/2)), nil
		}},
		{"list-thing-principals", func(s *sized) (func(int) (func() error, error), error) {
			return s.gets("/things/" + thingName(s.n/2) + "/principals"), nil
		}},
		{"list-certificates, first page", func(s *sized) (func(int) (func() error, error), error) { return s.gets("/certificates"), nil }},
	}
	for _, list := range []struct {
		what, filter string
		middle       int // how many are before the page, as one in so many of all; 0 is the first page
	}{
		{"list-things, first page", "", 0},
		{"list-things, page in the middle", "", 2},
		{"list-things by a type of half of them, first page", "thingTypeName=camera&", 0},
		{"list-things by that type, page in the middle", "thingTypeName=camera&", 4},
		{"list-things by a type of few", "thingTypeName=rare&maxResults=10&", 0},
		{"list-things by an attribute of a quarter, first page", "attributeName=model&attributeValue=m1&", 0},
		{"list-things by that attribute, page in the middle", "attributeName=model&attributeValue=m1&", 8},
		{"list-things by an attribute of one", "attributeName=serial&attributeValue=s00007919&", 0},
		{"list-things by a prefix of all values, first page", "attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", 0},
		{"list-things by that prefix, page in the middle", "attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", 2},
		{"list-things by a prefix of one value", "attributeName=serial&attributeValue=s0000791&usePrefixAttributeValue=true&", 0},
		{"list-things by type and attribute, many of each", "thingTypeName=camera&attributeName=model&attributeValue=m2&", 0},
		{"list-things by a type of few and an attribute of many", "thingTypeName=rare&maxResults=10&attributeName=model&attributeValue=m1&", 0},
		{"list-things by type and an attribute of few", "thingTypeName=camera&attributeName=site&attributeValue=site-1&", 0},
		{"list-things by type and a prefix of all values", "thingTypeName=camera&attributeName=site&attributeValue=site-&usePrefixAttributeValue=true&", 0},
	} {
		all = append(all, gauge{list.what, func(s *sized) (func(int) (func() error, error), error) {
			path := "/things?" + list.filter
			if list.middle > 0 {
				var err error
				if path, err = s.pageAfter(path, s.n/list.middle); err != nil {
					return nil, err
				}
			}
			return s.gets(path), nil
		}})
	}
	return append(all, gauge{"create-thing with attributes", (*sized).creates}, gauge{"attach-thing-principal", (*sized).attaches})
}

// gets is a client's work: a GET of a path.
func (s *server) gets(path string) func(int) (func() error, error) {
	return func(int) (func() error, error) {
		request, err := s.signed("GET", path, "")
		if err != nil {
			return nil, err
		}
		c, err := dial(s.apiHost())
		return func() error { return c.do(request) }, err
	}
}

// pageAfter pages through the first n of a listing, and returns the path of the
// page behind.
func (s *server) pageAfter(path string, n int) (string, error) {
	token := ""
	for seen := 0; seen < n; {
		var page struct {
			Things    []struct{} `json:"things"`
			NextToken string     `json:"nextToken"`
		}
		at := path + "maxResults=" + strconv.Itoa(min(n-seen, 250))
		if token != "" {
			at += "&nextToken=" + url.QueryEscape(token)
		}
		if err := s.call("GET", at, "iot", "application/json", "", nil, &page); err != nil {
			return "", err
		}
		if page.NextToken == "" {
			return "", fmt.Errorf("the listing ends before its item %d", n)
		}
		seen, token = seen+len(page.Things), page.NextToken
	}
	return path + "nextToken=" + url.QueryEscape(token), nil
}

// writes is a client's work: a request of its own each time.
func (s *server) writes(request func(i int) (*http.Request, string, error)) func(int) (func() error, error) {
	var next atomic.Int64
	return func(int) (func() error, error) {
		c, err := dial(s.apiHost())
		return func() error {
			r, body, err := request(int(next.Add(1)))
			if err != nil {
				return err
			}
			if err := sigv4.Sign(r, []byte(body), s.credentials(), "us-east-1", "iot", time.Now()); err != nil {
				return err
			}
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				return err
			}
			return c.do(b.Bytes())
		}, err
	}
}

func (s *sized) creates() (func(int) (func() error, error), error) {
	return s.writes(func(i int) (*http.Request, string, error) {
		body := fmt.Sprintf(`{"thingTypeName":"camera","attributePayload":{"attributes":{"model":"m1","serial":"n%d"}}}`, i)
		r, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://%s/things/new-%d", s.apiHost(), i), strings.NewReader(body))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
		}
		return r, body, err
	}), nil
}

// attaches attaches certificates to a further thing each, spread over all.
func (s *sized) attaches() (func(int) (func() error, error), error) {
	return s.writes(func(i int) (*http.Request, string, error) {
		r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://%s/things/%s/principals", s.apiHost(), thingName((i*7919+1)%s.n)), nil)
		if err == nil {
			r.Header.Set("x-amzn-principal", "arn:aws:iot:us-east-1:"+s.root.AccountID+":cert/"+certificateID((i+i/s.n)%s.n))
		}
		return r, "", err
	}), nil
}
