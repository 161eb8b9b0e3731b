package mqtttest

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/thingd/thingd/internal/mqtt"
)

// field is a packet's field and the word for it: `word=value`, or `word` alone for a flag.
type field struct {
	word string
	at   any
}

// fields are those of a packet that are written with a word. Parse and Format both go by them.
func fields(p mqtt.Packet) []field {
	switch p := p.(type) {
	case *mqtt.Connect:
		q, w := &p.Props, &p.Will
		return []field{
			{"bridge", &p.Bridge}, {"id", &p.ClientID}, {"clean", &p.CleanStart}, {"keepalive", &p.KeepAlive},
			{"user", &p.Username}, {"password", &p.Password},
			{"session-expiry", &q.SessionExpiry}, {"receive-maximum", &q.ReceiveMaximum}, {"maximum-packet-size", &q.MaximumPacket},
			{"topic-alias-maximum", &q.TopicAliasMax}, {"request-response-information", &q.RequestResponse},
			{"request-problem-information", &q.RequestProblem}, {"auth-method", &q.AuthMethod}, {"auth-data", &q.AuthData},
			{"user-property", &q.User},
			{"will", &w.Topic}, {"will-payload", &w.Payload}, {"will-qos", &w.QoS}, {"will-retain", &w.Retain},
			{"will-delay", &w.Props.Delay}, {"will-payload-format", &w.Props.PayloadFormat}, {"will-message-expiry", &w.Props.MessageExpiry},
			{"will-content-type", &w.Props.ContentType}, {"will-response-topic", &w.Props.ResponseTopic},
			{"will-correlation", &w.Props.Correlation}, {"will-user-property", &w.Props.User},
		}
	case *mqtt.Connack:
		q := &p.Props
		return []field{
			{"session-present", &p.SessionPresent},
			{"session-expiry", &q.SessionExpiry}, {"receive-maximum", &q.ReceiveMaximum}, {"maximum-qos", &q.MaximumQoS},
			{"retain-available", &q.RetainAvailable}, {"maximum-packet-size", &q.MaximumPacket}, {"assigned-client-id", &q.AssignedClientID},
			{"topic-alias-maximum", &q.TopicAliasMax}, {"wildcard-available", &q.WildcardAvailable},
			{"subscription-ids-available", &q.SubscriptionIDs}, {"shared-available", &q.SharedAvailable},
			{"server-keepalive", &q.ServerKeepAlive}, {"response-information", &q.ResponseInfo}, {"server-reference", &q.ServerReference},
			{"auth-method", &q.AuthMethod}, {"auth-data", &q.AuthData}, {"reason-string", &q.ReasonString}, {"user-property", &q.User},
		}
	case *mqtt.Publish:
		q := &p.Props
		return []field{
			{"qos", &p.QoS}, {"id", &p.PacketID}, {"dup", &p.Dup}, {"retain", &p.Retain},
			{"payload-format", &q.PayloadFormat}, {"message-expiry", &q.MessageExpiry}, {"topic-alias", &q.TopicAlias},
			{"response-topic", &q.ResponseTopic}, {"correlation", &q.Correlation}, {"subscription-id", &q.SubscriptionIDs},
			{"content-type", &q.ContentType}, {"user-property", &q.User},
		}
	case *mqtt.Ack:
		return []field{{"id", &p.PacketID}, {"reason-string", &p.Props.ReasonString}, {"user-property", &p.Props.User}}
	case *mqtt.Subscribe:
		return []field{{"id", &p.PacketID}, {"subscription-id", &p.Props.SubscriptionID}, {"user-property", &p.Props.User}}
	case *mqtt.Suback:
		return []field{{"id", &p.PacketID}, {"reason-string", &p.Props.ReasonString}, {"user-property", &p.Props.User}}
	case *mqtt.Unsubscribe:
		return []field{{"id", &p.PacketID}, {"user-property", &p.User}}
	case *mqtt.Unsuback:
		return []field{{"id", &p.PacketID}, {"reason-string", &p.Props.ReasonString}, {"user-property", &p.Props.User}}
	case *mqtt.Disconnect:
		q := &p.Props
		return []field{
			{"session-expiry", &q.SessionExpiry}, {"server-reference", &q.ServerReference},
			{"reason-string", &q.ReasonString}, {"user-property", &q.User},
		}
	case *mqtt.Auth:
		q := &p.Props
		return []field{{"auth-method", &q.Method}, {"auth-data", &q.Data}, {"reason-string", &q.ReasonString}, {"user-property", &q.User}}
	}
	return nil
}

// Format writes a packet as Parse reads it.
func Format(p mqtt.Packet) string {
	words := []string{p.Type().String()}
	add := func(w string) { words = append(words, w) }
	reasons := func(l []mqtt.Reason) {
		for _, r := range l {
			add(fmt.Sprintf("0x%02x", byte(r)))
		}
	}
	switch p := p.(type) {
	case *mqtt.Connect:
		add("v" + p.Version.String())
	case *mqtt.Connack:
		reasons([]mqtt.Reason{p.Reason})
	case *mqtt.Publish:
		add(quote(p.Topic))
		if len(p.Payload) > 0 {
			add(quote(p.Payload))
		}
	case *mqtt.Ack:
		if p.Reason != mqtt.Success {
			reasons([]mqtt.Reason{p.Reason})
		}
	case *mqtt.Disconnect:
		if p.Reason != mqtt.NormalDisconnection {
			reasons([]mqtt.Reason{p.Reason})
		}
	case *mqtt.Auth:
		reasons([]mqtt.Reason{p.Reason})
	}
	for _, f := range fields(p) {
		words = f.format(words)
	}
	switch p := p.(type) {
	case *mqtt.Subscribe:
		for _, s := range p.Filters {
			o := fmt.Sprintf(":%d", s.QoS)
			if s.NoLocal {
				o += ",no-local"
			}
			if s.RetainAsPublished {
				o += ",retain-as-published"
			}
			if s.RetainHandling > 0 {
				o += fmt.Sprintf(",retain-handling=%d", s.RetainHandling)
			}
			add(quote([]byte(string(s.Filter) + o)))
		}
	case *mqtt.Unsubscribe:
		for _, f := range p.Filters {
			add(quote(f))
		}
	case *mqtt.Suback:
		reasons(p.Reasons)
	case *mqtt.Unsuback:
		reasons(p.Reasons)
	}
	return strings.Join(words, " ")
}

func (f field) format(words []string) []string {
	number := func(set bool, n uint32) {
		if set {
			words = append(words, fmt.Sprintf("%s=%d", f.word, n))
		}
	}
	switch at := f.at.(type) {
	case *bool:
		switch {
		case *at && f.word == "session-present":
			number(true, 1)
		case *at:
			words = append(words, f.word)
		}
	case *byte:
		number(*at != 0, uint32(*at))
	case *uint16:
		number(*at != 0, uint32(*at))
	case *mqtt.Optional[byte]:
		number(at.Set, uint32(at.Value))
	case *mqtt.Optional[uint16]:
		number(at.Set, uint32(at.Value))
	case *mqtt.Optional[uint32]:
		number(at.Set, at.Value)
	case *mqtt.Optional[bool]:
		n := uint32(0)
		if at.Value {
			n = 1
		}
		number(at.Set, n)
	case *[]uint32:
		for _, n := range *at {
			number(true, n)
		}
	case *[]byte:
		if *at != nil {
			words = append(words, f.word+"="+quote(*at))
		}
	case *[]mqtt.UserProperty:
		for _, u := range *at {
			words = append(words, f.word+"="+quote([]byte(string(u.Name)+":"+string(u.Value))))
		}
	}
	return words
}

var bare = regexp.MustCompile("^[^\\s\"`*]+$")

// flags are words that stand for themselves in a line.
var flags = map[string]bool{"clean": true, "bridge": true, "will-retain": true, "dup": true, "retain": true, "...": true}

// quote is s as one word: itself if it is a simple one, else in Go's quotes; a long run of one byte as "x"*N.
func quote(s []byte) string {
	if n := len(s); n > 64 && bytes.Count(s, s[:1]) == n {
		return strconv.Quote(string(s[:1])) + "*" + strconv.Itoa(n)
	}
	if utf8.Valid(s) && bare.Match(s) && !keyed.Match(s) && !flags[string(s)] && !bytes.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return string(s)
	}
	if bytes.IndexByte(s, '"') >= 0 && strconv.CanBackquote(string(s)) {
		return "`" + string(s) + "`"
	}
	return strconv.Quote(string(s))
}

// word is one of a line: `key=value`, or a value alone.
type word struct {
	key, value string
	any        bool // the value is a * and stands for any
	quoted     bool
}

func (w word) String() string {
	if w.key == "" {
		return quote([]byte(w.value))
	}
	return w.key + "=" + quote([]byte(w.value))
}

var (
	keyed  = regexp.MustCompile(`^[a-z][a-z0-9-]*=`)
	quoted = regexp.MustCompile("^(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`)(?:\\*(\\d+))?")
)

// split takes a line into words. A value in quotes is Go's, with " or `; "x"*N is x N times.
func split(line string) ([]word, error) {
	var out []word
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t") {
		var w word
		if k := keyed.FindString(line); k != "" {
			w.key, line = k[:len(k)-1], line[len(k):]
		}
		if m := quoted.FindStringSubmatch(line); m != nil {
			s, err := strconv.Unquote(m[1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m[1], err)
			}
			n := 1
			if m[2] != "" {
				if n, err = strconv.Atoi(m[2]); err != nil {
					return nil, err
				}
			}
			w.value, w.quoted, line = strings.Repeat(s, n), true, line[len(m[0]):]
			if line != "" && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
				return nil, fmt.Errorf("no space after %s", m[0])
			}
		} else if strings.HasPrefix(line, `"`) || strings.HasPrefix(line, "`") {
			return nil, fmt.Errorf("no end of the quotes of %s", line)
		} else {
			w.value, line, _ = strings.Cut(line, " ")
			w.any = w.value == "*"
		}
		out = append(out, w)
	}
	return out, nil
}

// Parse reads a packet as people write it: its type, then words in any order.
//
//	CONNECT v5 id=a clean keepalive=30 will=t/gone will-payload="bye bye" will-qos=1 session-expiry=3600
//	PUBLISH a/b hello qos=1 id=7 user-property=k:v
//	SUBSCRIBE id=1 a/#:1 b:2,no-local,retain-as-published,retain-handling=1
//	SUBACK id=1 0x01 0x80
//	PUBREC id=7 0x97 reason-string="too many"
//
// Reasons are 0x and two digits. A CONNECT without a version is of version v.
func Parse(v mqtt.Version, line string) (mqtt.Packet, error) {
	words, err := split(line)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no packet")
	}
	var p mqtt.Packet
	for t := mqtt.CONNECT; t <= mqtt.AUTH; t++ {
		if t.String() == words[0].value {
			p = mqtt.New(t)
		}
	}
	if p == nil {
		return nil, fmt.Errorf("%s is no packet", words[0].value)
	}
	if c, ok := p.(*mqtt.Connect); ok {
		c.Version = v
	}
	fs := fields(p)
	var rest []string
words:
	for _, w := range words[1:] {
		for _, f := range fs {
			_, flag := f.at.(*bool)
			if f.word == w.key || flag && f.word == w.value && w.key == "" && !w.quoted {
				if err := f.parse(w); err != nil {
					return nil, fmt.Errorf("%s: %w", w, err)
				}
				continue words
			}
		}
		if w.key != "" {
			return nil, fmt.Errorf("%s has no %s", p.Type(), w.key)
		}
		rest = append(rest, w.value)
	}
	if err := positional(p, rest); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Type(), err)
	}
	return p, nil
}

func (f field) parse(w word) error {
	number := func(bits int) (uint32, error) {
		n, err := strconv.ParseUint(w.value, 10, bits)
		return uint32(n), err
	}
	var n uint32
	var err error
	switch at := f.at.(type) {
	case *bool:
		*at = w.key == "" || w.value == "1"
	case *byte:
		n, err = number(8)
		*at = byte(n)
	case *uint16:
		n, err = number(16)
		*at = uint16(n)
	case *mqtt.Optional[byte]:
		n, err = number(8)
		*at = mqtt.Some(byte(n))
	case *mqtt.Optional[uint16]:
		n, err = number(16)
		*at = mqtt.Some(uint16(n))
	case *mqtt.Optional[uint32]:
		n, err = number(32)
		*at = mqtt.Some(n)
	case *mqtt.Optional[bool]:
		n, err = number(1)
		*at = mqtt.Some(n == 1)
	case *[]uint32:
		n, err = number(32)
		*at = append(*at, n)
	case *[]byte:
		*at = []byte(w.value)
	case *[]mqtt.UserProperty:
		name, value, ok := strings.Cut(w.value, ":")
		if !ok {
			return fmt.Errorf("no name:value")
		}
		*at = append(*at, mqtt.UserProperty{Name: []byte(name), Value: []byte(value)})
	}
	return err
}

// positional fills in what stands without a word.
func positional(p mqtt.Packet, words []string) error {
	reasons := func(most int) ([]mqtt.Reason, error) {
		var out []mqtt.Reason
		if len(words) > most {
			return nil, fmt.Errorf("does not say %s", words[most])
		}
		for _, w := range words {
			n, err := strconv.ParseUint(strings.TrimPrefix(w, "0x"), 16, 8)
			if err != nil || !strings.HasPrefix(w, "0x") {
				return nil, fmt.Errorf("%s is no reason: 0x and two digits", w)
			}
			out = append(out, mqtt.Reason(n))
		}
		return out, nil
	}
	one := func(r *mqtt.Reason) error {
		l, err := reasons(1)
		if len(l) == 1 {
			*r = l[0]
		}
		return err
	}
	var err error
	switch p := p.(type) {
	case *mqtt.Connect:
		for _, w := range words {
			switch w {
			case "v3.1":
				p.Version = mqtt.V31
			case "v3.1.1":
				p.Version = mqtt.V311
			case "v5":
				p.Version = mqtt.V5
			default:
				return fmt.Errorf("does not say %s", w)
			}
		}
		p.HasWill = p.Will.Topic != nil
	case *mqtt.Publish:
		if len(words) == 0 || len(words) > 2 {
			return fmt.Errorf("wants a topic and perhaps a payload")
		}
		p.Topic = []byte(words[0])
		if len(words) == 2 {
			p.Payload = []byte(words[1])
		}
	case *mqtt.Subscribe:
		for _, w := range words {
			s, err := subscription(w)
			if err != nil {
				return err
			}
			p.Filters = append(p.Filters, s)
		}
	case *mqtt.Unsubscribe:
		for _, w := range words {
			p.Filters = append(p.Filters, []byte(w))
		}
	case *mqtt.Suback:
		p.Reasons, err = reasons(len(words))
	case *mqtt.Unsuback:
		p.Reasons, err = reasons(len(words))
	case *mqtt.Connack:
		err = one(&p.Reason)
	case *mqtt.Ack:
		err = one(&p.Reason)
	case *mqtt.Disconnect:
		err = one(&p.Reason)
	case *mqtt.Auth:
		err = one(&p.Reason)
	default:
		_, err = reasons(0)
	}
	return err
}

// subscription is FILTER:QOS[,no-local][,retain-as-published][,retain-handling=N].
func subscription(w string) (mqtt.Subscription, error) {
	i := strings.LastIndexByte(w, ':')
	if i < 0 {
		return mqtt.Subscription{}, fmt.Errorf("%s has no :QOS", w)
	}
	s := mqtt.Subscription{Filter: []byte(w[:i])}
	for j, o := range strings.Split(w[i+1:], ",") {
		key, value, _ := strings.Cut(o, "=")
		switch {
		case j == 0, key == "retain-handling":
			if j == 0 {
				value = key
			}
			n, err := strconv.ParseUint(value, 10, 2)
			if err != nil {
				return s, fmt.Errorf("%s: %w", w, err)
			}
			if j == 0 {
				s.QoS = byte(n)
			} else {
				s.RetainHandling = byte(n)
			}
		case o == "no-local":
			s.NoLocal = true
		case o == "retain-as-published":
			s.RetainAsPublished = true
		default:
			return s, fmt.Errorf("%s: there is no option %s", w, o)
		}
	}
	return s, nil
}

// Match says whether got, a line that Format wrote, is what want asks for: the same words, where those with a key may come in
// any order, `key=*` and `*` stand for any value, … in a value for any part of it, and `...` at the end for any further words.
func Match(want, got string) bool {
	w, err1 := split(want)
	g, err2 := split(got)
	if err1 != nil || err2 != nil {
		return false
	}
	more := false
	if n := len(w); n > 0 && w[n-1] == (word{value: "..."}) {
		more, w = true, w[:n-1]
	}
	for _, x := range w {
		i := slices.IndexFunc(g, func(y word) bool { return x.key == y.key })
		for x.key != "" && i >= 0 && i < len(g) && !(x.key == g[i].key && x.is(g[i])) {
			i++ // there may be several; words without a key are in order
		}
		switch {
		case i >= 0 && i < len(g) && x.is(g[i]):
			g = slices.Delete(g, i, i+1)
		case i >= 0 || !x.unsaid(w[0].value):
			return false
		}
	}
	return more || len(g) == 0
}

// is says whether y is what x stands for.
func (x word) is(y word) bool { return x.any || glob(x.value, y.value) }

// unsaid says whether Format leaves the word out.
func (x word) unsaid(kind string) bool {
	switch x.key {
	case "qos", "session-present":
		return x.value == "0"
	case "":
		return x.value == "0x00" && (kind == "DISCONNECT" || strings.HasPrefix(kind, "PUB"))
	}
	return false
}

// glob says whether s is want, in which … stands for anything.
func glob(want, s string) bool {
	parts := strings.Split(want, "…")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return want == s
	}
	if !strings.HasPrefix(s, first) || !strings.HasSuffix(s[len(first):], last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(s, p)
		if !ok {
			return false
		}
		s = after
	}
	return true
}
