package video

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A chunk is Matroska from its first byte to its last, and an index of itself: behind each complete fragment comes a Void
// element, which players pass over, with the fragment's row. A fragment is durable with its chunk; its row need not be
// waited for, because what a crashed machine has lost of the index is read from the chunks again.
//
// The element is EC, its size, recordMagic, the number's digits, then in big-endian order producer, server, duration, header
// offset, header size, media offset, media size and CRC-32C of the media, and at last the CRC-32C of the chunk's name and of
// all that. No producer knows the name, so none can send what would pass for a record.
const (
	recordMagic   = "\xEC\xF7thingd\x00\x01"
	recordNumbers = len(recordMagic) + numberDigits
	recordSize    = recordNumbers + 7*8 + 4 + 4
)

// appendRecord appends f's record to b.
func appendRecord(b []byte, f *fragment) []byte {
	begin := len(b)
	b = append(b, recordMagic...)
	b = append(b, f.number...)
	for _, v := range []int64{f.producer, f.server, f.duration, f.headerOffset, f.headerSize, f.mediaOffset, f.mediaSize} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(f.sum))
	return binary.BigEndian.AppendUint32(b, recordSum(f.chunk, b[begin:]))
}

// parseRecord reads the record that b, of recordSize bytes, may be, of a fragment in a chunk.
func parseRecord(chunk string, b []byte) (fragment, bool) {
	body, sum := b[:recordSize-4], binary.BigEndian.Uint32(b[recordSize-4:])
	if !bytes.HasPrefix(body, []byte(recordMagic)) || recordSum(chunk, body) != sum {
		return fragment{}, false
	}
	f := fragment{number: string(body[len(recordMagic):recordNumbers]), chunk: chunk}
	body = body[recordNumbers:]
	for _, v := range []*int64{&f.producer, &f.server, &f.duration, &f.headerOffset, &f.headerSize, &f.mediaOffset, &f.mediaSize} {
		*v = int64(binary.BigEndian.Uint64(body))
		body = body[8:]
	}
	f.sum = int64(binary.BigEndian.Uint32(body))
	return f, true
}

func recordSum(chunk string, b []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(chunk), castagnoli), castagnoli, b)
}
