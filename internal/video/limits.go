package video

import "time"

// Limits is what AWS calls quotas (Developer Guide, "Kinesis Video Streams service quotas"). Zero means AWS's own;
// where a comment says so, a negative one means none.
type Limits struct {
	Streams          int           // of an account in a region; 10,000; or none
	FragmentBytes    int64         // 50 MB
	FragmentDuration time.Duration // 20 s; 10 in older editions of the guide
	Tracks           int           // 3
	MetadataTags     int           // of a fragment; 10

	// AccountCalls is how many calls of a control operation an account makes in a region in a second: 50, of those that
	// every producer begins with six times as many; or none.
	AccountCalls int

	// What follows is of one stream. Rates let ten seconds' worth through at once; a producer that is faster is read no
	// faster, callers that are faster are refused.
	Calls          int           // of each operation in a second; 5; or none
	PutConnections int           // PutMedia at once; 5; or none
	GetConnections int           // GetMedia at once; 3; or none
	ListReads      int           // GetMediaForFragmentList at once; 5; or none
	Bytes          int64         // a second; 12.5 MB; or none
	Fragments      int           // a second; 5; or none
	ConnectionTime time.Duration // of a PutMedia; 45 minutes; or none

	ChunkBytes int64         // a chunk file gets no further fragment once it is this long; 32 MiB
	ChunkAge   time.Duration // or this old; 40 seconds
	ChunkIdle  time.Duration // how long it waits for another connection to its stream; 5 seconds; or none
}

// Unlimited is what a fragment may be on AWS, without AWS's bounds on how much and how often.
func Unlimited() Limits {
	return Limits{
		Streams: -1, AccountCalls: -1, Calls: -1, PutConnections: -1, GetConnections: -1, ListReads: -1, Bytes: -1, Fragments: -1, ConnectionTime: -1,
	}
}

// putConnections is what AWS's guide first gave as "1 (5 in the config, to allow for streaming token rotation, retries,
// etc.)". It says 1 since, but kvssink overlaps two whenever it renews its credentials.
const putConnections = 5

func (l Limits) withDefaults() Limits {
	orInt := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	orInt(&l.Streams, 10_000)
	orInt(&l.Tracks, 3)
	orInt(&l.MetadataTags, 10)
	orInt(&l.AccountCalls, 50)
	orInt(&l.Calls, 5)
	orInt(&l.PutConnections, putConnections)
	orInt(&l.GetConnections, 3)
	orInt(&l.ListReads, 5)
	orInt(&l.Fragments, 5)
	orBytes := func(v *int64, to int64) {
		if *v == 0 {
			*v = to
		}
	}
	orBytes(&l.FragmentBytes, 50<<20)
	orBytes(&l.Bytes, 12_500_000)
	orBytes(&l.ChunkBytes, 32<<20)
	if l.ConnectionTime == 0 {
		l.ConnectionTime = 45 * time.Minute
	}
	l.FragmentDuration = positive(l.FragmentDuration, 20*time.Second)
	l.ChunkAge = positive(l.ChunkAge, 40*time.Second)
	if l.ChunkIdle == 0 {
		l.ChunkIdle = 5 * time.Second
	}
	return l
}

// accountCalls is AccountCalls for one operation.
func (l Limits) accountCalls(op string) int {
	switch op {
	case "DescribeStream", "GetDataEndpoint":
		return 6 * l.AccountCalls
	case "UpdateMediaStorageConfiguration":
		return l.AccountCalls / 5
	}
	return l.AccountCalls
}

// Bounds that AWS does not have.
const (
	// fragmentTime is how long a fragment, or a header, may take to arrive: producers give up what they have not been
	// able to send for a minute or two, and who sends a byte now and then keeps a connection and a file open.
	fragmentTime = 2 * time.Minute
	// chunkWait is how long a connection waits for a file when too many are open.
	chunkWait = 10 * time.Second
	// storagePause keeps producers, which come back at once when a fragment cannot be stored, from adding to what
	// ails the disk.
	storagePause = time.Second
)
