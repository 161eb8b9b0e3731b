package video

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// maxRetention is ten years, AWS's most, in hours.
const maxRetention = 87_600

// Stream is a stream as it is stored.
type Stream struct {
	Account, Region, Name string
	ID                    string // of this life of the stream
	Created               int64  // milliseconds since 1970, the last part of its ARN
	Version               string
	RetentionHours        int64
	DeviceName, MediaType string
	KMSKeyID              string
	Tags                  map[string]string
}

// ARN is the stream's name as policies see it.
func (st *Stream) ARN() string { return streamName(st.Region, st.Account, st.Name, st.Created) }

func streamName(region, account, name string, created int64) string {
	return arn.New("kinesisvideo", region, account, fmt.Sprintf("stream/%s/%d", name, created))
}

// withoutRetention is how long fragments of a stream without retention stay, as in AWS's "service host buffer"
// (CreateStream, DataRetentionInHours).
const withoutRetention = 5 * time.Minute

// keeps is how long the stream's fragments can be read.
func (st *Stream) keeps() time.Duration {
	if st.RetentionHours == 0 {
		return withoutRetention
	}
	return time.Duration(st.RetentionHours) * time.Hour
}

// oldest is the server time before which fragments are outlived.
func (st *Stream) oldest(now time.Time) int64 { return now.Add(-st.keeps()).UnixMilli() }

func (st *Stream) info() *kinesisvideo.StreamInfo {
	arn, status, created := st.ARN(), kinesisvideo.StatusActive, time.UnixMilli(st.Created).UTC()
	return &kinesisvideo.StreamInfo{
		StreamName: &st.Name, StreamARN: &arn, Status: &status, Version: &st.Version, CreationTime: &created,
		DataRetentionInHours: &st.RetentionHours, KmsKeyId: &st.KMSKeyID,
		DeviceName: optional(st.DeviceName), MediaType: optional(st.MediaType),
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// randomText is n random characters of [A-Za-z0-9].
func randomText(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := range b {
		v, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails
		b[i] = letters[v.Int64()]
	}
	return string(b)
}

// newVersion is a stream's version: 20 characters that say nothing but that something changed.
func newVersion() string { return randomText(20) }

// CreateStream makes a stream; it is active at once.
func (s *Service) CreateStream(ctx context.Context, in *kinesisvideo.CreateStreamInput) (*kinesisvideo.CreateStreamOutput, error) {
	if err := s.throttle(ctx, nil); err != nil {
		return nil, err
	}
	st := &Stream{
		Account: awsapi.Account(ctx), Region: awsapi.Region(ctx), Name: in.StreamName,
		ID: randomText(20), Created: s.Now().UnixMilli(), Version: newVersion(),
		DeviceName: value(in.DeviceName), MediaType: value(in.MediaType), KMSKeyID: value(in.KmsKeyId),
		Tags: in.Tags,
	}
	if st.KMSKeyID == "" {
		st.KMSKeyID = arn.New("kms", st.Region, st.Account, "alias/aws/kinesisvideo")
	}
	if in.DataRetentionInHours != nil {
		st.RetentionHours = *in.DataRetentionInHours
	}
	if st.RetentionHours > maxRetention {
		return nil, kinesisvideo.ErrInvalidArgumentException("DataRetentionInHours must be between 0 and %d.", maxRetention)
	}
	if err := checkTags(st.Tags); err != nil {
		return nil, err
	}
	tier := ""
	if in.StreamStorageConfiguration != nil {
		tier = in.StreamStorageConfiguration.DefaultStorageTier
	}
	err := s.insertStream(ctx, st, tier, s.Limits.Streams)
	switch {
	case errors.Is(err, errExists):
		return nil, kinesisvideo.ErrResourceInUseException("The stream %s already exists.", st.Name)
	case errors.Is(err, errTooMany):
		return nil, kinesisvideo.ErrAccountStreamLimitExceededException("The number of streams created for the account is too high.")
	case err != nil:
		return nil, fmt.Errorf("create stream %s: %w", st.Name, err)
	}
	name := st.ARN()
	return &kinesisvideo.CreateStreamOutput{StreamARN: &name}, nil
}

// DescribeStream answers what is known of a stream.
func (s *Service) DescribeStream(ctx context.Context, _ *kinesisvideo.DescribeStreamInput) (*kinesisvideo.DescribeStreamOutput, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.DescribeStreamOutput{StreamInfo: st.info()}, nil
}

// ListStreams answers the caller's streams by name, a page at a time.
func (s *Service) ListStreams(ctx context.Context, in *kinesisvideo.ListStreamsInput) (*kinesisvideo.ListStreamsOutput, error) {
	if err := s.throttle(ctx, nil); err != nil {
		return nil, err
	}
	limit := 10_000
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	var prefix string
	if c := in.StreamNameCondition; c != nil {
		if c.ComparisonOperator == nil || c.ComparisonValue == nil {
			return nil, kinesisvideo.ErrInvalidArgumentException("StreamNameCondition needs ComparisonOperator and ComparisonValue.")
		}
		prefix = *c.ComparisonValue
	}
	after, err := base64.StdEncoding.DecodeString(value(in.NextToken))
	if err != nil {
		return nil, kinesisvideo.ErrInvalidArgumentException("The NextToken is not valid.")
	}
	list, err := s.streams(ctx, awsapi.Account(ctx), awsapi.Region(ctx), prefix, string(after), limit+1)
	if errors.Is(err, db.ErrText) {
		return nil, kinesisvideo.ErrInvalidArgumentException("The NextToken is not valid.")
	}
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	out := &kinesisvideo.ListStreamsOutput{StreamInfoList: []kinesisvideo.StreamInfo{}}
	for i, st := range list {
		if i == limit {
			next := base64.StdEncoding.EncodeToString([]byte(list[limit-1].Name))
			out.NextToken = &next
			break
		}
		out.StreamInfoList = append(out.StreamInfoList, *st.info())
	}
	return out, nil
}

// UpdateStream changes a stream's device name and media type.
func (s *Service) UpdateStream(ctx context.Context, in *kinesisvideo.UpdateStreamInput) (*kinesisvideo.UpdateStreamOutput, error) {
	err := s.change(ctx, in.CurrentVersion, func(st *Stream) error {
		if in.DeviceName != nil {
			st.DeviceName = *in.DeviceName
		}
		if in.MediaType != nil {
			st.MediaType = *in.MediaType
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.UpdateStreamOutput{}, nil
}

// UpdateDataRetention makes a stream's fragments be kept longer or shorter, those already stored too.
func (s *Service) UpdateDataRetention(ctx context.Context, in *kinesisvideo.UpdateDataRetentionInput) (*kinesisvideo.UpdateDataRetentionOutput, error) {
	err := s.change(ctx, in.CurrentVersion, func(st *Stream) error {
		by := in.DataRetentionChangeInHours
		if in.Operation == kinesisvideo.UpdateDataRetentionOperationDecreaseDataRetention {
			by = -by
		}
		// The change alone may be any number, so compare before adding.
		if by > maxRetention-st.RetentionHours || by < -st.RetentionHours {
			return kinesisvideo.ErrInvalidArgumentException("The data retention must be between 0 and %d hours.", maxRetention)
		}
		st.RetentionHours += by
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.wakeReaper()
	return &kinesisvideo.UpdateDataRetentionOutput{}, nil
}

// change applies f to the request's stream, when version still is its version, and gives it a new one.
func (s *Service) change(ctx context.Context, version string, f func(*Stream) error) error {
	st, err := s.throttled(ctx)
	if err != nil {
		return err
	}
	err = s.updateStream(ctx, st, func(st *Stream) error {
		if st.Version != version {
			return errVersion
		}
		st.Version = newVersion()
		return f(st)
	})
	return streamError(err, "update stream %s", st.Name)
}

// DeleteStream removes a stream: its media cannot be read any more, and their space is given back soon after.
func (s *Service) DeleteStream(ctx context.Context, in *kinesisvideo.DeleteStreamInput) (*kinesisvideo.DeleteStreamOutput, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	if err := streamError(s.deleteStream(ctx, st, in.CurrentVersion), "delete stream %s", st.Name); err != nil {
		return nil, err
	}
	s.live.changed(st.ID)
	s.traffic.end(st.ID)
	s.endParked(st.ID, nil)
	s.wakeReaper()
	return &kinesisvideo.DeleteStreamOutput{}, nil
}

// streamError is err as a caller sees it, or err with what was being done.
func streamError(err error, format string, args ...any) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGone):
		return errNotFound()
	case errors.Is(err, errMapped):
		return kinesisvideo.ErrResourceInUseException("The stream is mapped to a signaling channel, or the channel to another stream.")
	case errors.Is(err, errVersion):
		return kinesisvideo.ErrVersionMismatchException("The stream version that you specified is not the latest version. To get the latest version, use the DescribeStream API.")
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// GetDataEndpoint answers where a stream's media are sent and read: one address for all operations.
func (s *Service) GetDataEndpoint(ctx context.Context, _ *kinesisvideo.GetDataEndpointInput) (*kinesisvideo.GetDataEndpointOutput, error) {
	if _, err := s.throttled(ctx); err != nil {
		return nil, err
	}
	url := s.Endpoints.VideoData(awsapi.RequestOf(ctx).TLS)
	return &kinesisvideo.GetDataEndpointOutput{DataEndpoint: &url}, nil
}
