package video

import "testing"

// portions is a body that came in portions, and has no more for now.
type portions struct {
	t    *testing.T
	left []int
}

func (p *portions) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		p.t.Fatal("a read that waits, while there is something to be handed on")
	}
	n := min(p.left[0], len(b))
	if p.left[0] -= n; p.left[0] == 0 {
		p.left = p.left[1:]
	}
	return n, nil
}

// What has come is handed on before the connection waits for more: a fragment's end must not wait for the next one.
func TestBodyReaderHandsOn(t *testing.T) {
	for n := 1; n < 3*firstBytes; n++ {
		x := &session{s: &Service{}}
		body := &portions{t: t}
		x.body = body
		r := &bodyReader{x: x}
		for range 3 {
			body.left = append(body.left, n)
			for got := 0; got < n; {
				b, err := r.next()
				if err != nil || len(b) == 0 {
					t.Fatalf("portions of %d: %d bytes, %v", n, len(b), err)
				}
				got += len(b)
			}
		}
		r.done()
	}
}
