package mkv

import "slices"

// AppendTags appends one Tags element with one Tag that holds a SimpleTag for each of tags, in order.
// IDs are followed by sizes of 4 bytes, as in the tags that AWS adds to what GetMedia answers.
// It panics when a value is over 2^28-2 bytes long.
func AppendTags(dst []byte, tags ...Tag) []byte {
	dst, all := open(dst, idTags)
	dst, tag := open(dst, idTag)
	for _, t := range tags {
		var simple int
		dst, simple = open(dst, idSimpleTag)
		dst = appendString(dst, idTagName, t.Name)
		dst = appendString(dst, idTagString, t.Value)
		closeAt(dst, simple)
	}
	closeAt(dst, tag)
	closeAt(dst, all)
	return dst
}

// appendID appends an element ID, which carries its own length.
func appendID(dst []byte, id uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if b := id >> shift; b != 0 {
			dst = append(dst, byte(b))
		}
	}
	return dst
}

// open starts an element; closeAt, given the position it returns, fills in the size once the body is there.
func open(dst []byte, id uint32) (b []byte, at int) {
	dst = append(appendID(dst, id), 0, 0, 0, 0)
	return dst, len(dst)
}

func closeAt(dst []byte, at int) {
	n := len(dst) - at
	if n >= 1<<28-1 {
		panic("mkv: element too long for a size of 4 bytes")
	}
	dst[at-4], dst[at-3], dst[at-2], dst[at-1] = 0x10|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}

func appendString(dst []byte, id uint32, s string) []byte {
	dst, at := open(slices.Grow(dst, len(s)+8), id)
	dst = append(dst, s...)
	closeAt(dst, at)
	return dst
}

// unsize overwrites an element's size field with the unknown size of the same length.
func unsize(field []byte) {
	field[0] = 0xFF >> (len(field) - 1)
	for i := range field[1:] {
		field[i+1] = 0xFF
	}
}
