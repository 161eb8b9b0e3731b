package mkv

// Tag is one SimpleTag. Nested ones and those of several Tag elements come in one flat list, in their order.
type Tag struct {
	Name, Value string
}

// maxTagDepth bounds SimpleTags inside SimpleTags.
const maxTagDepth = 8

// parseTags reads the body of a Tags element; no more than most tags may be in into then.
func parseTags(body []byte, into *[]Tag, most int) error {
	return children(body, func(id uint32, tag []byte) error {
		if id != idTag {
			return nil
		}
		return simpleTags(tag, into, most, 0)
	})
}

// simpleTags collects the SimpleTags in the body of a Tag or SimpleTag.
func simpleTags(body []byte, into *[]Tag, most, depth int) error {
	if depth > maxTagDepth {
		return invalid("tags nested over %d deep", maxTagDepth)
	}
	return children(body, func(id uint32, b []byte) error {
		if id != idSimpleTag {
			return nil
		}
		if len(*into) == most {
			return invalid("more than %d tags", most)
		}
		var t Tag
		err := children(b, func(id uint32, b []byte) error {
			switch id {
			case idTagName:
				t.Name = stringValue(b)
			case idTagString:
				t.Value = stringValue(b)
			}
			return nil
		})
		if err != nil {
			return err
		}
		*into = append(*into, t)
		return simpleTags(b, into, most, depth+1)
	})
}
