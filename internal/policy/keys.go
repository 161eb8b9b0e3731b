package policy

import (
	"strings"
	"unique"
)

// Key is a context key of a request: a name and its value or values. Names
// compare without case, the tag part of aws:PrincipalTag/Name included.
type Key struct {
	name   string
	value  string
	values []string
	multi  bool
}

// Keys are the context keys of a request. Of several with one name the first
// counts, so that layers are joined by appending the lower to the upper.
type Keys []Key

// Single is a key with one value.
func Single(name, value string) Key { return Key{name: name, value: value} }

// Multi is a multivalued key. It keeps the slice. Without values it counts as
// absent.
func Multi(name string, values ...string) Key { return Key{name: name, values: values, multi: true} }

// Name is the key's name as given.
func (k *Key) Name() string { return k.name }

// Values are the key's values; one for a key made by Single.
func (k *Key) Values() []string {
	if k.multi {
		return k.values
	}
	return []string{k.value}
}

// empty reports whether the key counts as absent: a set without members.
func (k *Key) empty() bool { return k.multi && len(k.values) == 0 }

// Lookup finds a key by name, ignoring case. It reports false for a key that
// is absent or has no values.
func (ks Keys) Lookup(name string) (Key, bool) {
	if at := ks.find(lower(name), name); at >= 0 && !ks[at].empty() {
		return ks[at], true
	}
	return Key{}, false
}

// find is the index of a lower-case name, -1 if it is absent. written is how a
// policy spells it, which is how a request most likely does.
func (ks Keys) find(name, written string) int {
	for i := range ks {
		k := &ks[i]
		if len(k.name) == len(name) && (k.name == written || prefixFold(k.name, name)) {
			return i
		}
	}
	return -1
}

// canonicalKey is the form in which policies look keys up. iot:SourceIp is
// taken for aws:SourceIp, which is what AWS IoT documents.
// Comparing two of them is comparing two pointers.
func canonicalKey(name string) keyName {
	name = lower(name)
	if name == "iot:sourceip" {
		name = "aws:sourceip"
	}
	return unique.Make(name)
}

// keyName is the lower-case name of a key.
type keyName = unique.Handle[string]

// env is what a decision knows while it runs.
type env struct {
	keys      Keys // the request's
	base      Keys // the caller's
	resource  target
	action    string
	low       []byte // action, lowered
	principal *Principal
	code      uint64 // actionCode of the action
	// found remembers lookups: the same few keys are asked for again and
	// again. It holds places, not pointers, so that env can stay on the stack.
	found [8]struct {
		name keyName
		at   int // one more than the index in keys and then base; 0 for none
	}
}

// lookup finds a key by its canonicalKey, nil if the request has none. written
// is a spelling to try first.
func (e *env) lookup(name keyName, written string) *Key {
	slot := &e.found[len(name.Value())%len(e.found)]
	if slot.name != name {
		slot.name, slot.at = name, e.search(name.Value(), written)
	}
	at := slot.at - 1
	if at < 0 {
		return nil
	}
	var k *Key
	if at < len(e.keys) {
		k = &e.keys[at]
	} else {
		k = &e.base[at-len(e.keys)]
	}
	if k.empty() {
		return nil
	}
	return k
}

func (e *env) search(name, written string) int {
	if at := e.keys.find(name, written); at >= 0 {
		return at + 1
	}
	if at := e.base.find(name, written); at >= 0 {
		return at + 1 + len(e.keys)
	}
	return 0
}

// substitutable reports whether the value of a device certificate's attribute
// may stand for a variable (IoT guide, "X.509 certificate policy variables").
func substitutable(v string) bool {
	return len(v) <= maxCertificateValue && !strings.ContainsAny(v, "*$+?#")
}
