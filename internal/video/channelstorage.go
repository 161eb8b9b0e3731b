package video

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/arn"
	"github.com/thingd/thingd/internal/awsapi"
	"github.com/thingd/thingd/internal/db"
)

// channelResource is what operations on a signaling channel are resolved by.
const channelResource = "@channel"

// Channel is a signaling channel as far as it is known here: signaling is not served, so of a channel there is what was
// set for its storage, and its ARN is taken at its word.
type Channel struct {
	Account, Region, Name string
	Created               int64  // the last part of its ARN
	Stream                string // id of the stream that its media are stored in, or ""
}

// ARN is the channel's name as policies see it.
func (c *Channel) ARN() string {
	return arn.New("kinesisvideo", c.Region, c.Account, fmt.Sprintf("channel/%s/%d", c.Name, c.Created))
}

// resolveChannel finds the channel that a request is about. One that nothing was set for is authorized on
// channel/NAME/0 by its name, on its ARN by that.
func (s *Service) resolveChannel(ctx context.Context, in any) (*awsapi.Resolution, error) {
	var name, channelARN *string
	switch in := in.(type) {
	case *kinesisvideo.DescribeMediaStorageConfigurationInput:
		name, channelARN = in.ChannelName, in.ChannelARN
	case *kinesisvideo.UpdateMediaStorageConfigurationInput:
		channelARN = &in.ChannelARN
	default:
		return nil, fmt.Errorf("no channel in %T", in)
	}
	c := &Channel{Account: awsapi.Account(ctx), Region: awsapi.Region(ctx)}
	switch {
	case channelARN != nil:
		a, err := arn.Parse(*channelARN)
		parts := strings.Split(a.Resource, "/")
		if err != nil || len(parts) != 3 {
			return nil, kinesisvideo.ErrInvalidArgumentException("The ChannelARN %s is not valid.", *channelARN)
		}
		if name != nil && *name != parts[1] {
			return nil, kinesisvideo.ErrInvalidArgumentException("ChannelName and ChannelARN are not the same channel.")
		}
		created, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			return nil, kinesisvideo.ErrInvalidArgumentException("The ChannelARN %s is not valid.", *channelARN)
		}
		if a.Partition != arn.Partition || a.Service != "kinesisvideo" || a.Account != c.Account || a.Region != c.Region || parts[0] != "channel" {
			return resolution(*channelARN, nil), nil
		}
		c.Name, c.Created = parts[1], created
	case name != nil:
		c.Name = *name
	default:
		return nil, kinesisvideo.ErrInvalidArgumentException("Either ChannelName or ChannelARN must be specified.")
	}
	known, err := s.channel(ctx, c.Account, c.Region, c.Name)
	switch {
	case errors.Is(err, db.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("find channel %s: %w", c.Name, err)
	case channelARN == nil || known.Created == c.Created:
		c = known
	}
	r := resolution(c.ARN(), nil)
	r.Target = c
	return r, nil
}

// channel is what was set for a channel; db.ErrNotFound when nothing was.
func (s *Service) channel(ctx context.Context, account, region, name string) (*Channel, error) {
	c := &Channel{Account: account, Region: region, Name: name}
	err := s.DB.QueryRow(ctx, `SELECT created, stream FROM video_channel_storage WHERE account = $1 AND region = $2 AND channel = $3`,
		account, region, name).Scan(&c.Created, &c.Stream)
	return c, err
}

// unmapped answers errMapped when another channel than the one named is stored in the stream.
func unmapped(ctx context.Context, tx *db.Tx, st *Stream, channel string) error {
	var name string
	err := tx.QueryRow(ctx, `SELECT channel FROM video_channel_storage WHERE account = $1 AND region = $2 AND stream = $3 AND channel <> $4`,
		st.Account, st.Region, st.ID, channel).Scan(&name)
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return errMapped
}

// targetChannel is the channel that the request was authorized on.
func targetChannel(ctx context.Context) (*Channel, error) {
	if c, ok := awsapi.Target(ctx).(*Channel); ok {
		return c, nil
	}
	return nil, errNoChannel()
}

func errNoChannel() error {
	return kinesisvideo.ErrResourceNotFoundException("The requested channel is not found or not active.")
}

// DescribeMediaStorageConfiguration answers where a channel's media are stored.
func (s *Service) DescribeMediaStorageConfiguration(ctx context.Context, _ *kinesisvideo.DescribeMediaStorageConfigurationInput) (*kinesisvideo.DescribeMediaStorageConfigurationOutput, error) {
	c, err := targetChannel(ctx)
	if limit := s.throttle(ctx, nil); limit != nil {
		return nil, limit
	}
	if err != nil {
		return nil, err
	}
	known, err := s.channel(ctx, c.Account, c.Region, c.Name)
	if errors.Is(err, db.ErrNotFound) || err == nil && known.Created != c.Created {
		return nil, errNoChannel()
	}
	if err != nil {
		return nil, fmt.Errorf("find channel %s: %w", c.Name, err)
	}
	m := &kinesisvideo.MediaStorageConfiguration{Status: kinesisvideo.MediaStorageConfigurationStatusDisabled}
	if known.Stream != "" {
		st, err := s.streamByID(ctx, c.Account, c.Region, known.Stream)
		if err != nil {
			return nil, fmt.Errorf("find the stream of channel %s: %w", c.Name, err)
		}
		arn := st.ARN()
		m.Status, m.StreamARN = kinesisvideo.MediaStorageConfigurationStatusEnabled, &arn
	}
	return &kinesisvideo.DescribeMediaStorageConfigurationOutput{MediaStorageConfiguration: m}, nil
}

// UpdateMediaStorageConfiguration sets which stream a channel's media are stored in, or that they are not. A stream
// takes one channel's.
func (s *Service) UpdateMediaStorageConfiguration(ctx context.Context, in *kinesisvideo.UpdateMediaStorageConfigurationInput) (*kinesisvideo.UpdateMediaStorageConfigurationOutput, error) {
	c, err := targetChannel(ctx)
	if limit := s.throttle(ctx, nil); limit != nil {
		return nil, limit
	}
	if err != nil {
		return nil, err
	}
	m := in.MediaStorageConfiguration
	if m.Status == kinesisvideo.MediaStorageConfigurationStatusDisabled {
		err := s.DB.Write(ctx, func(tx *db.Tx) error { return putChannel(ctx, tx, c, "") })
		if err != nil {
			return nil, fmt.Errorf("update storage of channel %s: %w", c.Name, err)
		}
		return &kinesisvideo.UpdateMediaStorageConfigurationOutput{}, nil
	}
	if m.StreamARN == nil {
		return nil, kinesisvideo.ErrInvalidArgumentException("StreamARN must be specified when Status is ENABLED.")
	}
	// The stream is found as one that a request names, in the caller's account.
	r, err := s.Resolve(ctx, &awsapi.Operation{}, &kinesisvideo.DescribeStreamInput{StreamARN: m.StreamARN})
	if err != nil {
		return nil, err
	}
	st, ok := r.Target.(*Stream)
	if !ok {
		return nil, errNotFound()
	}
	err = s.withStream(ctx, st, func(tx *db.Tx, now *Stream) error {
		if now.RetentionHours == 0 {
			return errNoRetention()
		}
		if err := unmapped(ctx, tx, now, c.Name); err != nil {
			return err
		}
		return putChannel(ctx, tx, c, now.ID)
	})
	if err := streamError(err, "update storage of channel %s", c.Name); err != nil {
		return nil, err
	}
	return &kinesisvideo.UpdateMediaStorageConfigurationOutput{}, nil
}

// putChannel stores where a channel's media go. errMapped when they go into another stream already.
func putChannel(ctx context.Context, tx *db.Tx, c *Channel, stream string) error {
	n, err := tx.Exec(ctx, `INSERT INTO video_channel_storage AS s (account, region, channel, created, stream) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, channel) DO UPDATE SET created = excluded.created, stream = excluded.stream
		WHERE s.created <> excluded.created OR s.stream = '' OR excluded.stream = '' OR s.stream = excluded.stream`,
		c.Account, c.Region, c.Name, c.Created, stream)
	if err == nil && n == 0 {
		err = errMapped
	}
	return err
}

// DescribeMappedResourceConfiguration answers the channel whose media are stored in a stream, if there is one.
func (s *Service) DescribeMappedResourceConfiguration(ctx context.Context, in *kinesisvideo.DescribeMappedResourceConfigurationInput) (*kinesisvideo.DescribeMappedResourceConfigurationOutput, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	if value(in.NextToken) != "" { // we have never given one out
		return nil, kinesisvideo.ErrInvalidArgumentException("The NextToken is not valid.")
	}
	out := &kinesisvideo.DescribeMappedResourceConfigurationOutput{MappedResourceConfigurationList: []kinesisvideo.MappedResourceConfigurationListItem{}}
	c := &Channel{Account: st.Account, Region: st.Region}
	err = s.DB.QueryRow(ctx, `SELECT channel, created FROM video_channel_storage WHERE account = $1 AND region = $2 AND stream = $3`,
		st.Account, st.Region, st.ID).Scan(&c.Name, &c.Created)
	if errors.Is(err, db.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the channel of stream %s: %w", st.Name, err)
	}
	kind, arn := "SIGNALING_CHANNEL", c.ARN()
	out.MappedResourceConfigurationList = append(out.MappedResourceConfigurationList,
		kinesisvideo.MappedResourceConfigurationListItem{Type: &kind, ARN: &arn})
	return out, nil
}
