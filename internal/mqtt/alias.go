package mqtt

import "encoding/binary"

// Aliases are the topic aliases that a sender has given to one receiver on one connection (3.3.2.3.4): the first topics get
// them and keep them.
type Aliases struct {
	Most  uint16 // the receiver's topic alias maximum, or less [MQTT-3.3.2-9] [MQTT-3.3.2-11]
	given map[string]uint16
}

// Topics that are shorter cost less than their alias; those that are longer would be much to remember.
const (
	shortestAliased = 4
	longestAliased  = 1024
)

// Append appends the PUBLISH of version 5 that packet is, which has no alias, with one if its topic has one or can get it:
// the first time beside the topic, from then on in its place. shift is how many bytes closer to the packet's start its packet
// identifier is than in packet. The packet is left as it is if it could grow over limit.
func (a *Aliases) Append(dst, packet []byte, limit int) (out []byte, shift int) {
	if len(packet)+4 > limit {
		return append(dst, packet...), 0
	}
	size, n, _ := varint(packet[1:])
	rest := packet[1+n:]
	topic, rest := rest[2:2+binary.BigEndian.Uint16(rest)], rest[2+binary.BigEndian.Uint16(rest):]
	alias, known := a.given[string(topic)]
	switch {
	case known:
	case len(topic) < shortestAliased || len(topic) > longestAliased || len(a.given) >= int(a.Most):
		return append(dst, packet...), 0
	default:
		if a.given == nil {
			a.given = map[string]uint16{}
		}
		alias = uint16(len(a.given) + 1)
		a.given[string(topic)] = alias
	}
	var id []byte
	if packet[0]&(3<<1) != 0 {
		id, rest = rest[:2], rest[2:]
	}
	props, m, _ := varint(rest)
	size += 3 + varintLen(props+3) - m
	if known {
		size -= len(topic)
		topic = nil
	}
	start := len(dst)
	dst = appendVarint(append(dst, packet[0]), size)
	dst = appendString(dst, topic)
	shift = len(packet) - len(rest) - len(id) - (len(dst) - start)
	dst = appendVarint(append(dst, id...), props+3)
	dst = appendOpt16(dst, propTopicAlias, Some(alias))
	return append(dst, rest[m:]...), shift
}
