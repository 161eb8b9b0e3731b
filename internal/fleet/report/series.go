package report

// MaxPoints bounds a series.
const MaxPoints = 600

// Series is a run over time, for charts: one point a second at first. When
// there are MaxPoints, neighbours are merged and the step doubles.
type Series struct {
	// StepSeconds is the time between points (the last may be nearer).
	StepSeconds float64 `json:"stepSeconds"`
	Points      []Point `json:"points,omitempty"`
	pending     Point
	have        int // points in pending
	merge       int // points that make one
}

// Point is a step of a series: what is so at its end, rates and latencies over it.
type Point struct {
	T         float64 `json:"t"` // seconds of real time since the start, at the step's end
	Connected int     `json:"connected"`
	Running   int     `json:"running"` // devices that are neither waiting nor over
	// A second.
	Iterations float64 `json:"iterations"`
	Publishes  float64 `json:"publishes"`
	Received   float64 `json:"received"`
	Requests   float64 `json:"requests"`
	Errors     float64 `json:"errors"`
	Lost       float64 `json:"lost"`
	Reconnects float64 `json:"reconnects"`
	// Milliseconds; of merged points the worse. 0 when there was none.
	ConnectP99 float64 `json:"connectP99"`
	PublishP50 float64 `json:"publishP50"`
	PublishP99 float64 `json:"publishP99"`
	RequestP50 float64 `json:"requestP50"`
	RequestP99 float64 `json:"requestP99"`

	MemoryBytes uint64 `json:"memoryBytes"`
}

// Add adds the point of a second. It is called with the run's T growing.
func (s *Series) Add(p Point) {
	if s.merge == 0 {
		s.merge, s.StepSeconds = 1, 1
	}
	if s.have == 0 {
		s.pending = p
	} else {
		s.pending = merged(s.pending, s.have, p, 1)
	}
	if s.have++; s.have < s.merge {
		return
	}
	s.Points, s.have = append(s.Points, s.pending), 0
	if len(s.Points) < MaxPoints {
		return
	}
	for i := range MaxPoints / 2 {
		s.Points[i] = merged(s.Points[2*i], 1, s.Points[2*i+1], 1)
	}
	s.Points = s.Points[:MaxPoints/2]
	s.merge, s.StepSeconds = 2*s.merge, 2*s.StepSeconds
}

// All are the points so far, the unfinished one included, in a slice of their own.
func (s *Series) All() Series {
	out := Series{StepSeconds: max(s.StepSeconds, 1), Points: append([]Point(nil), s.Points...)}
	if s.have > 0 {
		out.Points = append(out.Points, s.pending)
	}
	return out
}

// merged is one point for na points that became a and nb that became b, which come after.
func merged(a Point, na int, b Point, nb int) Point {
	wa, wb := float64(na)/float64(na+nb), float64(nb)/float64(na+nb)
	for _, r := range [][2]*float64{
		{&a.Iterations, &b.Iterations}, {&a.Publishes, &b.Publishes}, {&a.Received, &b.Received}, {&a.Requests, &b.Requests},
		{&a.Errors, &b.Errors}, {&a.Lost, &b.Lost}, {&a.Reconnects, &b.Reconnects},
	} {
		*r[1] = *r[0]*wa + *r[1]*wb
	}
	for _, l := range [][2]*float64{
		{&a.ConnectP99, &b.ConnectP99}, {&a.PublishP50, &b.PublishP50}, {&a.PublishP99, &b.PublishP99},
		{&a.RequestP50, &b.RequestP50}, {&a.RequestP99, &b.RequestP99},
	} {
		*l[1] = max(*l[0], *l[1])
	}
	b.MemoryBytes = max(a.MemoryBytes, b.MemoryBytes)
	return b
}
