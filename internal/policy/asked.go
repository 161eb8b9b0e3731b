package policy

// timeKeys are the context keys whose values change while a caller and what he
// asks for stay the same.
var timeKeys = map[string]bool{"aws:currenttime": true, "aws:epochtime": true, "aws:multifactorauthage": true}

func (c *compiled) ask(key keyName) {
	if c.asked == nil {
		c.asked = map[keyName]bool{}
	}
	c.asked[key] = true
	c.timed = c.timed || timeKeys[key.Value()]
}

// Timed says whether a decision may come out otherwise at another time: the
// policy asks what time it is. A decision by policies that do not holds as long
// as they do.
func (p *Policy) Timed() bool { return p.doc.timed }

// AskedBy are those of the keys that any of the policies asks for: the others
// make no difference to decisions by them. The answer is appended to dst.
func (ks Keys) AskedBy(dst Keys, policies []*Policy) Keys {
	for i := range ks {
		name := canonicalKey(ks[i].name)
		for _, p := range policies {
			if p.doc.asked[name] {
				dst = append(dst, ks[i])
				break
			}
		}
	}
	return dst
}
