package mqtt

import (
	"encoding/binary"
	"unicode/utf8"
)

// begin starts a packet with room for a short length; finish, given where it begins, writes the length, for which the
// body moves if it is a long one.
func begin(dst []byte, t Type, flags byte) []byte {
	return append(dst, byte(t)<<4|flags, 0)
}

func finish(dst []byte, start int) []byte { return setLength(dst, start+1) }

// setLength writes the length of what follows the byte at i there, in as many bytes as it takes.
func setLength(dst []byte, i int) []byte {
	n := len(dst) - i - 1
	if n < 0x80 {
		dst[i] = byte(n)
		return dst
	}
	more := varintLen(n) - 1
	dst = append(dst, 0, 0, 0)[:len(dst)+more]
	copy(dst[i+1+more:], dst[i+1:i+1+n])
	appendVarint(dst[:i], n)
	return dst
}

// cut is as much of s as a string can hold; never a part of a character.
func cut(s []byte) []byte {
	const most = 65_535
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func appendString(dst, s []byte) []byte {
	s = cut(s)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func appendOpt8(dst []byte, id property, o Optional[byte]) []byte {
	if o.Set {
		dst = append(dst, byte(id), o.Value)
	}
	return dst
}

func appendBool(dst []byte, id property, o Optional[bool]) []byte {
	if o.Set {
		dst = append(dst, byte(id), bit(o.Value, 1))
	}
	return dst
}

func appendOpt16(dst []byte, id property, o Optional[uint16]) []byte {
	if o.Set {
		dst = binary.BigEndian.AppendUint16(append(dst, byte(id)), o.Value)
	}
	return dst
}

func appendOpt32(dst []byte, id property, o Optional[uint32]) []byte {
	if o.Set {
		dst = binary.BigEndian.AppendUint32(append(dst, byte(id)), o.Value)
	}
	return dst
}

func appendBytes(dst []byte, id property, s []byte) []byte {
	if s != nil {
		dst = appendString(append(dst, byte(id)), s)
	}
	return dst
}

func appendUser(dst []byte, l []UserProperty) []byte {
	for _, u := range l {
		dst = appendString(append(dst, byte(propUser)), u.Name)
		dst = appendString(dst, u.Value)
	}
	return dst
}

// bit is the flag if b.
func bit(b bool, flag byte) byte {
	if b {
		return flag
	}
	return 0
}
