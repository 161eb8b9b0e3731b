package awsapi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// xmlNode is an element of an answer.
type xmlNode struct {
	name     string
	text     []byte
	children []*xmlNode
}

// readXML reads a document whole.
func readXML(doc []byte) (*xmlNode, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	top := &xmlNode{}
	stack := []*xmlNode{top}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		in := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(stack) > maxDepth {
				return nil, errors.New("nested too deeply")
			}
			n := &xmlNode{name: tok.Name.Local}
			in.children = append(in.children, n)
			stack = append(stack, n)
		case xml.CharData:
			in.text = append(in.text, tok...)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if len(top.children) != 1 {
		return nil, errors.New("it is no XML document")
	}
	return top.children[0], nil
}

// child is the first child of a name, or nil.
func (n *xmlNode) child(name string) *xmlNode {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all are the children of a name.
func (n *xmlNode) all(name string) []*xmlNode {
	var found []*xmlNode
	for _, c := range n.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

// xmlResult is a Query operation's answer as JSON.
func (op *Operation) xmlResult(body []byte) ([]byte, error) {
	if len(op.out.fields) == 0 {
		return []byte("{}"), nil
	}
	n, err := readXML(body)
	if err != nil {
		return nil, err
	}
	if op.ResultWrapper != "" {
		if n = n.child(op.ResultWrapper); n == nil {
			return nil, fmt.Errorf("it has no %s", op.ResultWrapper)
		}
	}
	return n.appendStruct(nil, op.out)
}

func (n *xmlNode) appendStruct(b []byte, p *structPlan) ([]byte, error) {
	b = append(b, '{')
	first := true
	for i := range p.fields {
		f := &p.fields[i]
		name := f.name
		if f.flattened && f.val.shape.MemberName != "" {
			name = f.val.shape.MemberName
		}
		found := n.all(name)
		if len(found) == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(AppendJSONString(b, f.member), ':')
		var err error
		switch {
		case f.val.kind == kList && f.flattened:
			b, err = appendItems(b, f.val, found)
		case f.val.kind == kMap && f.flattened:
			b, err = appendEntries(b, f.val, found)
		default:
			b, err = found[0].appendValue(b, f.val)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.member, err)
		}
	}
	return append(b, '}'), nil
}

func appendItems(b []byte, v *valuePlan, items []*xmlNode) ([]byte, error) {
	b = append(b, '[')
	for i, n := range items {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = n.appendValue(b, v.elem); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendEntries(b []byte, v *valuePlan, entries []*xmlNode) ([]byte, error) {
	b = append(b, '{')
	for i, n := range entries {
		key, value := n.child(orDefault(v.shape.KeyName, "key")), n.child(orDefault(v.shape.ValueName, "value"))
		if key == nil || value == nil {
			return nil, errors.New("an entry without key or value")
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendJSONString(b, string(key.text)), ':')
		var err error
		if b, err = value.appendValue(b, v.elem); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (n *xmlNode) appendValue(b []byte, v *valuePlan) ([]byte, error) {
	switch v.kind {
	case kStruct:
		return n.appendStruct(b, v.fields)
	case kList:
		return appendItems(b, v, n.all(orDefault(v.shape.MemberName, "member")))
	case kMap:
		return appendEntries(b, v, n.all("entry"))
	case kString:
		return AppendJSONString(b, string(n.text)), nil
	}
	text := strings.TrimSpace(string(n.text))
	switch v.kind {
	case kBlob:
		return AppendJSONString(b, text), nil
	case kTime:
		if _, err := strconv.ParseFloat(text, 64); err == nil && json.Valid([]byte(text)) {
			return append(b, text...), nil
		}
		return AppendJSONString(b, text), nil
	}
	st := reflect.New(v.typ).Elem()
	if err := v.setText(text, st, n.name); err != nil {
		return nil, err
	}
	return appendJSONValue(b, v, "", st), nil
}
