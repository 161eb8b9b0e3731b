package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/thingd/thingd/internal/awsapi/sigv4"
	"github.com/thingd/thingd/internal/mkv"
)

// producer is a PutMedia connection.
type producer struct {
	conn net.Conn
	w    *chunkWriter // of the body
	acks *json.Decoder
	resp *http.Response
}

// ack is one line of PutMedia's answer.
type ack struct {
	EventType        string
	FragmentTimecode int64
	ErrorCode        string
}

func (s *server) createVideoStream(name string) error {
	return s.call("POST", "/createStream", "kinesisvideo", "application/json", fmt.Sprintf(`{"StreamName":%q,"DataRetentionInHours":1}`, name), nil, nil)
}

// putMedia opens a PutMedia, whose answer has begun when it returns.
func (s *server) putMedia(stream string) (*producer, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+s.apiHost()+"/putMedia", nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("x-amzn-stream-name", stream)
	r.Header.Set("x-amzn-fragment-timecode-type", "ABSOLUTE")
	if err := sigv4.Sign(r, nil, s.credentials(), "us-east-1", "kinesisvideo", time.Now()); err != nil {
		return nil, err
	}
	var head bytes.Buffer
	fmt.Fprintf(&head, "POST /putMedia HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n", r.URL.Host)
	if err := r.Header.Write(&head); err != nil {
		return nil, err
	}
	head.WriteString("\r\n")
	conn, err := net.Dial("tcp", s.apiHost())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(head.Bytes()); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		b, err := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("PutMedia: %s: %s %w", resp.Status, b, err)
	}
	return &producer{conn: conn, w: &chunkWriter{conn: conn}, acks: json.NewDecoder(resp.Body), resp: resp}, nil
}

// chunkWriter sends a body in chunks, each whole, as libcurl does.
type chunkWriter struct {
	conn net.Conn
	buf  []byte
}

func (w *chunkWriter) send(p []byte) error {
	w.buf = fmt.Appendf(w.buf[:0], "%x\r\n", len(p))
	w.buf = append(w.buf, p...)
	w.buf = append(w.buf, "\r\n"...)
	_, err := w.conn.Write(w.buf)
	return err
}

// sendAll sends a whole body, to its end.
func (w *chunkWriter) sendAll(body []byte) error {
	const most = 32 << 10
	for ; len(body) > 0; body = body[min(len(body), most):] {
		if err := w.send(body[:min(len(body), most)]); err != nil {
			return err
		}
	}
	return w.end()
}

// end sends the terminating chunk.
func (w *chunkWriter) end() error {
	_, err := io.WriteString(w.conn, "0\r\n\r\n")
	return err
}

func (p *producer) close() { _ = p.conn.Close() }

// videoHeader is a document of one track of H.264, as far as a server looks at it.
func videoHeader() []byte {
	return mkv.AppendHeader(nil, &mkv.Header{Tracks: []mkv.Track{{Number: 1, Type: mkv.TrackVideo, CodecID: "V_MPEG4/ISO/AVC", PixelWidth: 1280, PixelHeight: 720}}})
}

// clusterHead begins a fragment.
func clusterHead(ms int64) []byte { return mkv.AppendCluster(nil, uint64(ms)) }

// frame is a block of n bytes of media.
func frame(ms int16, key bool, n int) []byte {
	b := mkv.AppendSimpleBlock(nil, mkv.Block{Track: 1, Timecode: ms, Key: key, Size: int64(n)})
	return append(b, bytes.Repeat([]byte{0x55}, n)...)
}

// endOfFragment is the producer's command.
func endOfFragment() []byte {
	return mkv.AppendTags(nil, mkv.Tag{Name: "AWS_KINESISVIDEO_END_OF_FRAGMENT"})
}
