package msglog

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"testing"
)

// records reads all records of a row.
func records(b []byte) ([]record, header, error) {
	r, h, err := openRow(b)
	if err != nil {
		return nil, h, err
	}
	var list []record
	for r.next() {
		rec := r.record
		rec.targets = slices.Clone(rec.targets)
		rec.data = slices.Clone(rec.data)
		list = append(list, rec)
	}
	return list, h, r.err
}

// encode writes a row of records.
func encode(h header, list []record) []byte {
	b := make([]byte, rowHeader)
	for _, r := range list {
		switch r.kind {
		case kindMessage:
			b, _ = appendMessage(b, h.base, r.seq, r.targets, r.data)
		case kindReceived:
			b = appendIncoming(b, h.base, r.seq, r.session, r.packetID)
		default:
			b = appendFact(b, h.base, r.kind, r.session, r.seq, r.packetID)
		}
	}
	b = append(b, 0, 0, 0, 0)
	putHeader(b, h)
	putChecksum(b)
	return b
}

func example() (header, []record) {
	return header{base: 1000, nextSeq: 1005, nextSession: 70_001}, []record{
		{kind: kindMessage, seq: 1000, data: []byte("hello"), targets: []target{
			{session: 70_000, qos: 1}, {session: 3, qos: 2, state: stateAssigned, packetID: 65535}, {session: 4, qos: 2, state: stateReleased, packetID: 1, flags: 9}}},
		{kind: kindMessage, seq: 12, data: []byte{}, targets: []target{{session: 1}}},
		{kind: kindReceived, seq: 1001, session: 7, packetID: 258},
		{kind: kindAssigned, seq: 999, session: 7, packetID: 2},
		{kind: kindReleased, seq: 1 << 40, session: 1 << 40},
		{kind: kindSettled, seq: 1, session: 1},
	}
}

// The bytes of rows that are stored must not change their meaning.
const golden = "6d6c010000000000000003e800000000000003ed0000000000011171010003e0c50801d9c50806ffff021a0001090568656c6c6f01b70f01" +
	"0200000502070102020701000203808080808020b0f0ffffff3f0401cd0f9432027f"

func TestRow(t *testing.T) {
	h, list := example()
	b := encode(h, list)
	if hex.EncodeToString(b) != golden {
		t.Errorf("%x\nwant %s", b, golden)
	}
	got, gotHeader, err := records(b)
	if err != nil || gotHeader != h {
		t.Fatal(gotHeader, err)
	}
	for i := range got {
		got[i].off = 0
		if len(got[i].targets) == 0 {
			got[i].targets = nil
		}
		if got[i].kind != kindMessage {
			got[i].data = nil
		} else if got[i].data == nil {
			got[i].data = []byte{}
		}
	}
	if !reflect.DeepEqual(got, list) {
		t.Errorf("%+v\nwant %+v", got, list)
	}
	for i := range b {
		for bit := range 8 {
			damaged := bytes.Clone(b)
			damaged[i] ^= 1 << bit
			if _, _, err := openRow(damaged); err == nil {
				t.Fatalf("byte %d, bit %d: damage was not seen", i, bit)
			}
		}
		if _, _, err := openRow(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes were taken", i, len(b))
		}
	}
}

func FuzzRow(f *testing.F) {
	h, list := example()
	b := encode(h, list)
	f.Add(h.base, b[rowHeader:len(b)-rowChecksum])
	f.Add(uint64(0), []byte{1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, base uint64, body []byte) {
		b := append(make([]byte, rowHeader), body...)
		b = append(b, 0, 0, 0, 0)
		putHeader(b, header{base: base})
		putChecksum(b)
		list, h, err := records(b)
		if err != nil {
			return
		}
		again, _, err := records(encode(h, list))
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if i < len(again) {
				list[i].off, again[i].off = 0, 0 // numbers may have been longer than needed
			}
		}
		if !reflect.DeepEqual(list, again) {
			t.Fatalf("%s: %+v, then %+v", hex.EncodeToString(body), list, again)
		}
	})
}

func FuzzSession(f *testing.F) {
	s := &Session{Version: 5, Expiry: 3600, Connected: 1, Disconnected: -2, WillAt: 1 << 50, Will: []byte("w"), Data: []byte("d"),
		Subscriptions: []Subscription{{"a/#", 1, 0}, {"$share/g/b", 46, 1<<28 - 1}}}
	b := encodeSession(s)
	var got Session
	if err := decodeSession(b, &got); err != nil || !reflect.DeepEqual(&got, s) {
		f.Fatalf("%+v, %v", got, err)
	}
	f.Add(b)
	f.Add([]byte{1, 4, 255, 255, 255, 255, 15, 0, 0, 0, 0, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Session
		if decodeSession(b, &s) != nil {
			return
		}
		if err := decodeSession(encodeSession(&s), &again); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v, then %+v, %v", s, again, err)
		}
	})
}
