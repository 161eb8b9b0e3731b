package video

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/db"
)

// What is set for a stream beside itself. It is kept, checked and given back; thingd makes no images by itself,
// sends no notifications and has one kind of storage.
const (
	settingImages       = "images"
	settingNotification = "notification"
	settingStorage      = "storage"
)

// setting reads one of a stream's settings into v; db.ErrNotFound when it is not set.
func (s *Service) setting(ctx context.Context, st *Stream, kind string, v any) error {
	var text string
	err := s.DB.QueryRow(ctx, `SELECT value FROM video_settings WHERE account = $1 AND region = $2 AND stream = $3 AND kind = $4`,
		st.Account, st.Region, st.ID, kind).Scan(&text)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), v)
}

func putSetting(ctx context.Context, tx *db.Tx, st *Stream, kind string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO video_settings (account, region, stream, kind, value) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, region, stream, kind) DO UPDATE SET value = excluded.value`, st.Account, st.Region, st.ID, kind, string(text))
	return err
}

// describeSetting is the setting of the request's stream, nil when it is not set.
func describeSetting[T any](ctx context.Context, s *Service, kind string) (*T, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	var v T
	switch err := s.setting(ctx, st, kind, &v); {
	case errors.Is(err, db.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s of stream %s: %w", kind, st.Name, err)
	}
	return &v, nil
}

// updateSetting sets a setting of the request's stream, or removes it when v is nil. What is made of a stream's media
// needs media that are kept.
func updateSetting[T any](ctx context.Context, s *Service, kind string, v *T, check func(*Stream) error) error {
	st, err := s.throttled(ctx)
	if err != nil {
		return err
	}
	err = s.withStream(ctx, st, func(tx *db.Tx, now *Stream) error {
		if v == nil {
			_, err := tx.Exec(ctx, `DELETE FROM video_settings WHERE account = $1 AND region = $2 AND stream = $3 AND kind = $4`,
				now.Account, now.Region, now.ID, kind)
			return err
		}
		if err := check(now); err != nil {
			return err
		}
		if now.RetentionHours == 0 {
			return errNoRetention()
		}
		return putSetting(ctx, tx, now, kind, v)
	})
	return streamError(err, "set %s of stream %s", kind, st.Name)
}

func errNoRetention() error {
	return kinesisvideo.ErrNoDataRetentionException("The Stream data retention in hours is equal to zero.")
}

// DescribeImageGenerationConfiguration answers what UpdateImageGenerationConfiguration has set, or nothing.
func (s *Service) DescribeImageGenerationConfiguration(ctx context.Context, _ *kinesisvideo.DescribeImageGenerationConfigurationInput) (*kinesisvideo.DescribeImageGenerationConfigurationOutput, error) {
	c, err := describeSetting[kinesisvideo.ImageGenerationConfiguration](ctx, s, settingImages)
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.DescribeImageGenerationConfigurationOutput{ImageGenerationConfiguration: c}, nil
}

// UpdateImageGenerationConfiguration sets how images are to be made of a stream; without a configuration it is deleted.
func (s *Service) UpdateImageGenerationConfiguration(ctx context.Context, in *kinesisvideo.UpdateImageGenerationConfigurationInput) (*kinesisvideo.UpdateImageGenerationConfigurationOutput, error) {
	c := in.ImageGenerationConfiguration
	err := updateSetting(ctx, s, settingImages, c, func(st *Stream) error { return checkImages(st, c) })
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.UpdateImageGenerationConfigurationOutput{}, nil
}

// minSampling is the least interval between images in milliseconds (API reference, ImageGenerationConfiguration).
const minSampling = 200

func checkImages(st *Stream, c *kinesisvideo.ImageGenerationConfiguration) error {
	if c.SamplingInterval < minSampling {
		return kinesisvideo.ErrInvalidArgumentException("SamplingInterval must be at least %d milliseconds.", minSampling)
	}
	if bucket, ok := strings.CutPrefix(c.DestinationConfig.Uri, "s3://"); !ok || strings.Trim(bucket, "/") == "" {
		return kinesisvideo.ErrInvalidArgumentException("The destination URI must name an S3 bucket: s3://bucket.")
	}
	if c.DestinationConfig.DestinationRegion != st.Region {
		return kinesisvideo.ErrInvalidArgumentException("The DestinationRegion must be the stream's region, %s.", st.Region)
	}
	if text, ok := c.FormatConfig[kinesisvideo.FormatConfigKeyJPEGQuality]; ok {
		if q, err := strconv.Atoi(text); err != nil || q < 1 || q > 100 {
			return kinesisvideo.ErrInvalidArgumentException("JPEGQuality must be a number from 1 to 100.")
		}
	}
	return nil
}

// DescribeNotificationConfiguration answers what UpdateNotificationConfiguration has set, or nothing.
func (s *Service) DescribeNotificationConfiguration(ctx context.Context, _ *kinesisvideo.DescribeNotificationConfigurationInput) (*kinesisvideo.DescribeNotificationConfigurationOutput, error) {
	c, err := describeSetting[kinesisvideo.NotificationConfiguration](ctx, s, settingNotification)
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.DescribeNotificationConfigurationOutput{NotificationConfiguration: c}, nil
}

// UpdateNotificationConfiguration sets who is to hear of a stream's fragments; without a configuration it is deleted.
func (s *Service) UpdateNotificationConfiguration(ctx context.Context, in *kinesisvideo.UpdateNotificationConfigurationInput) (*kinesisvideo.UpdateNotificationConfigurationOutput, error) {
	err := updateSetting(ctx, s, settingNotification, in.NotificationConfiguration, func(*Stream) error { return nil })
	if err != nil {
		return nil, err
	}
	return &kinesisvideo.UpdateNotificationConfigurationOutput{}, nil
}

// DescribeStreamStorageConfiguration answers a stream's storage tier: HOT unless it was set.
func (s *Service) DescribeStreamStorageConfiguration(ctx context.Context, _ *kinesisvideo.DescribeStreamStorageConfigurationInput) (*kinesisvideo.DescribeStreamStorageConfigurationOutput, error) {
	c, err := describeSetting[kinesisvideo.StreamStorageConfiguration](ctx, s, settingStorage)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &kinesisvideo.StreamStorageConfiguration{DefaultStorageTier: kinesisvideo.DefaultStorageTierHot}
	}
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	arn := st.ARN()
	return &kinesisvideo.DescribeStreamStorageConfigurationOutput{StreamName: &st.Name, StreamARN: &arn, StreamStorageConfiguration: c}, nil
}

// UpdateStreamStorageConfiguration sets a stream's storage tier and gives the stream a new version. All tiers are the
// same disk here.
func (s *Service) UpdateStreamStorageConfiguration(ctx context.Context, in *kinesisvideo.UpdateStreamStorageConfigurationInput) (*kinesisvideo.UpdateStreamStorageConfigurationOutput, error) {
	st, err := s.throttled(ctx)
	if err != nil {
		return nil, err
	}
	err = s.withStream(ctx, st, func(tx *db.Tx, now *Stream) error {
		if now.Version != in.CurrentVersion {
			return errVersion
		}
		now.Version = newVersion()
		if err := putSetting(ctx, tx, now, settingStorage, in.StreamStorageConfiguration); err != nil {
			return err
		}
		return saveStream(ctx, tx, now)
	})
	if err := streamError(err, "update storage of stream %s", st.Name); err != nil {
		return nil, err
	}
	return &kinesisvideo.UpdateStreamStorageConfigurationOutput{}, nil
}
