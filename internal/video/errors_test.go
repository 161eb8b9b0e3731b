package video

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingd/thingd/internal/db"
	"github.com/thingd/thingd/internal/db/dbtest"
)

// What clients hear, operation by operation: every documented error that the operation can meet here. Those of limits
// that thingd does not have (ClientLimitExceeded, ConnectionLimitExceeded), of keys and devices are not among them, and
// NotAuthorized is the gateway's.
func TestErrors(t *testing.T) {
	const (
		images = `{"Status":"ENABLED","ImageSelectorType":"SERVER_TIMESTAMP","DestinationConfig":{"Uri":"%s","DestinationRegion":"%s"},"SamplingInterval":%d,"Format":"JPEG"%s}`
		notify = `{"Status":"ENABLED","DestinationConfig":{"Uri":"arn:aws:sns:eu-west-1:123456789012:t"}}`
		door   = "arn:aws:kinesisvideo:eu-west-1:123456789012:channel/door/1"
	)
	long := strings.Repeat("x", 257)
	sampling := func(uri, region string, ms int, more string) string {
		return fmt.Sprintf(`{"StreamName":"cam","ImageGenerationConfiguration":`+images+`}`, uri, region, ms, more)
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	tests := []struct{ path, body, want string }{
		{"createStream", `{}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"a b"}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"` + long + `"}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","MediaType":"video"}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","DataRetentionInHours":-1}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","DataRetentionInHours":87601}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","StreamStorageConfiguration":{"DefaultStorageTier":"COLD"}}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","Tags":{"aws:a":"b"}}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"x","Tags":{` + many(51, `"t%d":""`) + `}}`, "400 InvalidArgument"},
		{"createStream", `{"StreamName":"cam"}`, "400 ResourceInUse"},
		{"createStream", `{"StreamName":"third"}`, "400 AccountStreamLimitExceeded"},
		{"createStream", `{"StreamName":`, "400 InvalidArgument"},

		{"describeStream", `{}`, "400 InvalidArgument"},
		{"describeStream", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"describeStream", `{"StreamARN":"arn:aws:kinesisvideo:eu-west-1:123456789012:stream/cam/1"}`, "404 ResourceNotFound"},
		{"describeStream", `{"StreamARN":"arn:aws:kinesisvideo:eu-west-1:123456789012:cam"}`, "400 InvalidArgument"},
		{"describeStream", `{"StreamARN":"ARN","StreamName":"zero"}`, "400 InvalidArgument"},

		{"updateStream", `{"StreamName":"cam","MediaType":"video/h264"}`, "400 InvalidArgument"},
		{"updateStream", `{"CurrentVersion":"1"}`, "400 InvalidArgument"},
		{"updateStream", `{"StreamName":"cam","CurrentVersion":"1","DeviceName":"a b"}`, "400 InvalidArgument"},
		{"updateStream", `{"StreamName":"none","CurrentVersion":"1"}`, "404 ResourceNotFound"},
		{"updateStream", `{"StreamName":"cam","CurrentVersion":"1"}`, "400 VersionMismatch"},

		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"VERSION","Operation":"INCREASE_DATA_RETENTION"}`, "400 InvalidArgument"},
		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"VERSION","Operation":"SET","DataRetentionChangeInHours":1}`, "400 InvalidArgument"},
		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"VERSION","Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":0}`, "400 InvalidArgument"},
		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"VERSION","Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":87600}`, "400 InvalidArgument"},
		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"VERSION","Operation":"DECREASE_DATA_RETENTION","DataRetentionChangeInHours":25}`, "400 InvalidArgument"},
		{"updateDataRetention", `{"StreamName":"cam","CurrentVersion":"1","Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":1}`, "400 VersionMismatch"},
		{"updateDataRetention", `{"StreamName":"none","CurrentVersion":"1","Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":1}`, "404 ResourceNotFound"},

		{"deleteStream", `{}`, "400 InvalidArgument"},
		{"deleteStream", `{"StreamARN":"ARN","CurrentVersion":"1"}`, "400 VersionMismatch"},
		{"deleteStream", `{"StreamARN":"arn:aws:kinesisvideo:eu-west-1:123456789012:stream/none/1"}`, "404 ResourceNotFound"},
		{"deleteStream", `{"StreamARN":"` + door + `"}`, "404 ResourceNotFound"},

		{"listStreams", `{"MaxResults":0}`, "400 InvalidArgument"},
		{"listStreams", `{"MaxResults":10001}`, "400 InvalidArgument"},
		{"listStreams", `{"NextToken":"x"}`, "400 InvalidArgument"},
		{"listStreams", `{"StreamNameCondition":{"ComparisonOperator":"ENDS_WITH","ComparisonValue":"m"}}`, "400 InvalidArgument"},
		{"listStreams", `{"StreamNameCondition":{"ComparisonOperator":"BEGINS_WITH"}}`, "400 InvalidArgument"},

		{"tagStream", `{"StreamName":"cam"}`, "400 InvalidArgument"},
		{"tagStream", `{"StreamName":"cam","Tags":{}}`, "400 InvalidArgument"},
		{"tagStream", `{"Tags":{"a":"b"}}`, "400 InvalidArgument"},
		{"tagStream", `{"StreamName":"cam","Tags":{"aws:a":"b"}}`, "400 InvalidArgument"},
		{"tagStream", `{"StreamName":"cam","Tags":{"a":"` + long + `"}}`, "400 InvalidArgument"},
		{"tagStream", `{"StreamName":"none","Tags":{"a":"b"}}`, "404 ResourceNotFound"},
		{"tagStream", `{"StreamName":"cam","Tags":{` + many(50, `"t%d":""`) + `}}`, "400 TagsPerResourceExceededLimit"},
		{"untagStream", `{"StreamName":"cam"}`, "400 InvalidArgument"},
		{"untagStream", `{"StreamName":"none","TagKeyList":["a"]}`, "404 ResourceNotFound"},
		{"listTagsForStream", `{}`, "400 InvalidArgument"},
		{"listTagsForStream", `{"StreamName":"cam","NextToken":"AAAA"}`, "400 InvalidArgument"},
		{"listTagsForStream", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"TagResource", `{"ResourceARN":"ARN"}`, "400 InvalidArgument"},
		{"TagResource", `{"ResourceARN":"` + door + `","Tags":[{"Key":"a","Value":"b"}]}`, "404 ResourceNotFound"},
		{"TagResource", `{"ResourceARN":"ARN","Tags":[` + many(50, `{"Key":"t%d","Value":""}`) + `]}`, "400 TagsPerResourceExceededLimit"},
		{"UntagResource", `{"ResourceARN":"ARN"}`, "400 InvalidArgument"},
		{"UntagResource", `{"ResourceARN":"` + door + `","TagKeyList":["a"]}`, "404 ResourceNotFound"},
		{"ListTagsForResource", `{}`, "400 InvalidArgument"},
		{"ListTagsForResource", `{"ResourceARN":"` + door + `"}`, "404 ResourceNotFound"},

		{"getDataEndpoint", `{"StreamName":"cam"}`, "400 InvalidArgument"},
		{"getDataEndpoint", `{"StreamName":"cam","APIName":"GET"}`, "400 InvalidArgument"},
		{"getDataEndpoint", `{"StreamName":"none","APIName":"GET_MEDIA"}`, "404 ResourceNotFound"},

		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 199, ""), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://", "eu-west-1", 200, ""), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("https://b", "eu-west-1", 200, ""), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-2", 200, ""), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 200, `,"FormatConfig":{"JPEGQuality":"0"}`), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 200, `,"FormatConfig":{"JPEGQuality":"101"}`), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 200, `,"FormatConfig":{"Quality":"50"}`), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 200, `,"WidthPixels":3841`), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", sampling("s3://b", "eu-west-1", 200, `,"HeightPixels":2161`), "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", `{"StreamName":"cam","ImageGenerationConfiguration":{}}`, "400 InvalidArgument"},
		{"updateImageGenerationConfiguration", strings.Replace(sampling("s3://b", "eu-west-1", 200, ""), "cam", "zero", 1), "400 NoDataRetention"},
		{"updateImageGenerationConfiguration", strings.Replace(sampling("s3://b", "eu-west-1", 200, ""), "cam", "none", 1), "404 ResourceNotFound"},
		{"updateImageGenerationConfiguration", `{}`, "400 InvalidArgument"},
		{"describeImageGenerationConfiguration", `{}`, "400 InvalidArgument"},
		{"describeImageGenerationConfiguration", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"updateNotificationConfiguration", `{"StreamName":"zero","NotificationConfiguration":` + notify + `}`, "400 NoDataRetention"},
		{"updateNotificationConfiguration", `{"StreamName":"none","NotificationConfiguration":` + notify + `}`, "404 ResourceNotFound"},
		{"updateNotificationConfiguration", `{"StreamName":"cam","NotificationConfiguration":{"Status":"ENABLED"}}`, "400 InvalidArgument"},
		{"describeNotificationConfiguration", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"updateStreamStorageConfiguration", `{"StreamName":"cam","CurrentVersion":"1","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}}`, "400 VersionMismatch"},
		{"updateStreamStorageConfiguration", `{"StreamName":"cam","CurrentVersion":"VERSION","StreamStorageConfiguration":{}}`, "400 InvalidArgument"},
		{"updateStreamStorageConfiguration", `{"StreamName":"none","CurrentVersion":"1","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}}`, "404 ResourceNotFound"},
		{"describeStreamStorageConfiguration", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"describeMappedResourceConfiguration", `{"StreamName":"none"}`, "404 ResourceNotFound"},
		{"describeMappedResourceConfiguration", `{"StreamName":"cam","MaxResults":2}`, "400 InvalidArgument"},
		{"describeMappedResourceConfiguration", `{"StreamName":"cam","NextToken":"AAAA"}`, "400 InvalidArgument"},
		{"updateMediaStorageConfiguration", `{"ChannelARN":"` + door + `","MediaStorageConfiguration":{"Status":"ENABLED"}}`, "400 InvalidArgument"},
		{"updateMediaStorageConfiguration", `{"ChannelARN":"` + door + `","MediaStorageConfiguration":{"Status":"ENABLED","StreamARN":"arn:aws:kinesisvideo:eu-west-1:123456789012:stream/none/1"}}`, "404 ResourceNotFound"},
		{"updateMediaStorageConfiguration", `{"ChannelARN":"` + door + `","MediaStorageConfiguration":{"Status":"ENABLED","StreamARN":"ZERO"}}`, "400 NoDataRetention"},
		{"updateMediaStorageConfiguration", `{"ChannelARN":"ARN","MediaStorageConfiguration":{"Status":"DISABLED"}}`, "404 ResourceNotFound"},
		{"describeMediaStorageConfiguration", `{}`, "400 InvalidArgument"},
		{"describeMediaStorageConfiguration", `{"ChannelName":"none"}`, "404 ResourceNotFound"},
		{"describeMediaStorageConfiguration", `{"ChannelName":"other","ChannelARN":"` + door + `"}`, "400 InvalidArgument"},

		{"getMedia", `{"StreamName":"cam"}`, "400 InvalidArgument"},
		{"getMedia", `{"StartSelector":{"StartSelectorType":"NOW"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"LATEST"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"FRAGMENT_NUMBER"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"FRAGMENT_NUMBER","AfterFragmentNumber":"x"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"SERVER_TIMESTAMP"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"PRODUCER_TIMESTAMP"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"CONTINUATION_TOKEN"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"cam","StartSelector":{"StartSelectorType":"CONTINUATION_TOKEN","ContinuationToken":"x"}}`, "400 InvalidArgument"},
		{"getMedia", `{"StreamName":"none","StartSelector":{"StartSelectorType":"NOW"}}`, "404 ResourceNotFound"},

		{"listFragments", `{}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","MaxResults":0}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","MaxResults":1001}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","NextToken":"AAAA"}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","FragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP"}}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","FragmentSelector":{"FragmentSelectorType":"NUMBER","TimestampRange":{"StartTimestamp":1,"EndTimestamp":2}}}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"cam","FragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP","TimestampRange":{"StartTimestamp":2,"EndTimestamp":1}}}`, "400 InvalidArgument"},
		{"listFragments", `{"StreamName":"none"}`, "404 ResourceNotFound"},

		{"getMediaForFragmentList", `{"StreamName":"cam"}`, "400 InvalidArgument"},
		{"getMediaForFragmentList", `{"StreamName":"cam","Fragments":[]}`, "400 InvalidArgument"},
		{"getMediaForFragmentList", `{"StreamName":"cam","Fragments":["x"]}`, "400 InvalidArgument"},
		{"getMediaForFragmentList", `{"StreamName":"cam","Fragments":[` + many(1001, `"%d"`) + `]}`, "400 InvalidArgument"},
		{"getMediaForFragmentList", `{"Fragments":["1"]}`, "400 InvalidArgument"},
		{"getMediaForFragmentList", `{"StreamName":"none","Fragments":["1"]}`, "404 ResourceNotFound"},

		{"createSignalingChannel", `{"ChannelName":"door"}`, "501 NotImplemented"},
		{"describeEdgeConfiguration", `{"StreamName":"cam"}`, "501 NotImplemented"},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d, nil)
		f.Limits.Streams = 2
		zero := f.create(t, "zero", 0)
		f.create(t, "cam", 24)
		c := newClient(t, f)
		c.ok(t, "/tagStream", `{"StreamName":"cam","Tags":{"first":"1"}}`)
		st := must(f.stream(t.Context(), account, region, "cam"))
		fill := strings.NewReplacer(`"ARN"`, `"`+st.ARN()+`"`, `"ZERO"`, `"`+zero.ARN()+`"`, `"VERSION"`, `"`+st.Version+`"`)
		for _, tt := range tests {
			status, code, answer := c.post(t, "/"+tt.path, fill.Replace(tt.body))
			if got := fmt.Sprintf("%d %s", status, code); got != tt.want || status != 200 && !strings.Contains(answer, `essage"`) {
				t.Errorf("%s %.200s\n  %s %.300s\n  want %s", tt.path, tt.body, got, answer, tt.want)
			}
		}
		now := must(f.stream(t.Context(), account, region, "cam"))
		if now.Version != st.Version || len(now.Tags) != 1 || now.RetentionHours != 24 {
			t.Errorf("what was refused has changed the stream: %+v", now)
		}
		noRows(t, d, "video_settings", "video_channel_storage")
	})
}
