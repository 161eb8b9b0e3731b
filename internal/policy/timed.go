package policy

// timeKeys are the context keys whose values change while a caller and what he
// asks for stay the same.
var timeKeys = map[string]bool{"aws:currenttime": true, "aws:epochtime": true, "aws:multifactorauthage": true}

// Timed says whether a decision may come out otherwise at another time: the
// policy asks what time it is. A decision by policies that do not holds as long
// as they do.
func (p *Policy) Timed() bool { return p.doc.timed }
