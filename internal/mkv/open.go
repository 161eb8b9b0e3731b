package mkv

// open begins the element whose ID and size are the first headN bytes of head: it decides by the masters that
// are open what the element is, and what becomes of its body.
func (p *Parser) open(id uint32, size int64) error {
	p.elem = id
	var err error
	switch {
	case p.inGroup:
		err = p.inGroupElement(id, size)
	case p.inCluster && p.endsCluster(id):
		if err = p.endCluster(p.start); err == nil {
			err = p.outside(id, size)
		}
	case p.inCluster:
		err = p.inClusterElement(id, size)
	default:
		err = p.outside(id, size)
	}
	p.headN = 0
	return err
}

// outside begins an element that is in no cluster.
func (p *Parser) outside(id uint32, size int64) error {
	if p.inSegment && id == idEBML && p.segmentEnd == unbounded {
		p.inSegment, p.sawEBML = false, false // a new document ends a segment of unknown size
	}
	if p.inSegment {
		return p.inSegmentElement(id, size)
	}
	return p.rootElement(id, size)
}

// endsCluster says whether an element ends an open cluster of unknown size: those that can only stand beside
// or above a cluster do (RFC 8794 section 6.2).
func (p *Parser) endsCluster(id uint32) bool {
	if p.clusterSized {
		return false
	}
	switch id {
	case idCluster, idTags, idCues, idEBML, idSegment, idInfo, idTracks, idSeekHead, idChapters, idAttachments:
		return true
	}
	return false
}

// rootElement begins an element at the top: a document is an EBML element, then a Segment.
func (p *Parser) rootElement(id uint32, size int64) error {
	switch id {
	case idEBML:
		p.sawEBML = true
		p.header = &Header{TimecodeScale: DefaultTimecodeScale}
		p.buf = nil
		return p.keep(size, MaxHeader)
	case idSegment:
		if !p.sawEBML {
			return invalid("Segment without an EBML header")
		}
		end, err := p.end(size, unbounded)
		if err != nil {
			return err
		}
		p.inSegment, p.segmentEnd = true, end
		raw := p.head[:p.headN]
		if size != unknownSize {
			unsize(raw[4:])
		}
		p.buf = append(p.buf, raw...)
		return nil
	case idTags:
		// kvssink closes a connection that carried no media with its END_OF_FRAGMENT tag alone.
		if !p.sawEBML {
			p.header, p.buf = nil, nil
			return p.keep(size, MaxTags)
		}
	case idVoid, idCRC32:
		return p.skip(size, unbounded)
	}
	return invalid("element %#x outside of a Segment", id)
}

// inSegmentElement begins a child of Segment.
func (p *Parser) inSegmentElement(id uint32, size int64) error {
	switch {
	case id == idCluster:
		end, err := p.end(size, p.segmentEnd)
		if err != nil {
			return err
		}
		if err := p.endHeader(); err != nil {
			return err
		}
		p.inCluster, p.clusterEnd, p.clusterSized, p.hasTimecode = true, end, size != unknownSize, false
		if err := p.event(Event{Kind: KindCluster, Offset: p.start}); err != nil {
			return err
		}
		return p.data(p.head[:p.headN])
	case id == idEBML, id == idSegment:
		return invalid("element %#x inside a Segment", id)
	case p.header != nil:
		if _, err := p.end(size, p.segmentEnd); err != nil {
			return err
		}
		return p.keep(size, MaxHeader)
	case id == idTags:
		if _, err := p.end(size, p.segmentEnd); err != nil {
			return err
		}
		p.buf = nil
		return p.keep(size, MaxTags)
	}
	return p.skip(size, p.segmentEnd)
}

// inClusterElement begins a child of Cluster.
func (p *Parser) inClusterElement(id uint32, size int64) error {
	switch id {
	case idTimecode:
		if p.hasTimecode {
			return invalid("second timecode in a cluster")
		}
		return p.integer(size, p.clusterEnd)
	case idSimpleBlock:
		return p.blockHead(size, p.clusterEnd)
	case idBlockGroup:
		if size == unknownSize {
			return invalid("BlockGroup without a size")
		}
		end, err := p.end(size, p.clusterEnd)
		if err != nil {
			return err
		}
		p.inGroup, p.groupEnd, p.group = true, end, p.start
		p.block, p.blocks, p.ref = Block{}, 0, false
		return p.data(p.head[:p.headN])
	case idCluster, idTags, idCues, idEBML, idSegment, idInfo, idTracks, idSeekHead, idChapters, idAttachments:
		return invalid("element %#x inside a cluster", id)
	}
	return p.skip(size, p.clusterEnd)
}

// inGroupElement begins a child of BlockGroup.
func (p *Parser) inGroupElement(id uint32, size int64) error {
	switch id {
	case idBlock:
		if p.blocks++; p.blocks > 1 {
			return invalid("second block in a group")
		}
		return p.blockHead(size, p.groupEnd)
	case idBlockDuration:
		return p.integer(size, p.groupEnd)
	case idReferenceBlock:
		p.ref = true
	}
	return p.skip(size, p.groupEnd)
}

// end is where the element ends; within is where its parent does.
func (p *Parser) end(size, within int64) (int64, error) {
	if size == unknownSize {
		return within, nil
	}
	end := p.start + int64(p.headN) + size // both below 2^56
	if end > within {
		return 0, invalid("element %#x of %d bytes is longer than its parent", p.elem, size)
	}
	return end, nil
}

// leaf begins an element whose body has a known size.
func (p *Parser) leaf(size, within int64, s state) error {
	if size == unknownSize {
		return invalid("element %#x has no size", p.elem)
	}
	if _, err := p.end(size, within); err != nil {
		return err
	}
	p.state, p.left = s, size
	return nil
}

// skip lets the element pass through.
func (p *Parser) skip(size, within int64) error {
	if err := p.leaf(size, within, inSkip); err != nil {
		return err
	}
	return p.data(p.head[:p.headN])
}

// integer reads the element's value.
func (p *Parser) integer(size, within int64) error {
	if size > 8 {
		return invalid("integer %#x of %d bytes", p.elem, size)
	}
	if err := p.leaf(size, within, inValue); err != nil {
		return err
	}
	if err := p.data(p.head[:p.headN]); err != nil || size > 0 {
		return err
	}
	return p.value(0)
}

// blockHead reads a block's track number, timecode and flags.
func (p *Parser) blockHead(size, within int64) error {
	if !p.hasTimecode {
		return invalid("block before its cluster's timecode")
	}
	if err := p.leaf(size, within, inBlockHead); err != nil {
		return err
	}
	if size < 4 {
		return invalid("block of %d bytes", size)
	}
	return p.data(p.head[:p.headN])
}

// keep collects the whole element, together with what is in buf already, up to limit bytes.
func (p *Parser) keep(size int64, limit int) error {
	if err := p.leaf(size, unbounded, inBuffer); err != nil {
		return err
	}
	if size > int64(limit-len(p.buf)-p.headN) {
		return invalid("more than %d bytes outside of clusters", limit)
	}
	p.buf = append(p.buf, p.head[:p.headN]...)
	p.body = len(p.buf)
	return nil
}
