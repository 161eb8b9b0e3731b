package video

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/awsapi"
)

func ptr[T any](v T) *T { return &v }

func TestStreamLife(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		in := &kinesisvideo.CreateStreamInput{
			StreamName: "cam1", DeviceName: ptr("Kinesis_Video_Device"), MediaType: ptr("video/h264"), DataRetentionInHours: ptr(int64(2)),
			Tags: map[string]string{"k1": "v1"},
		}
		created, err := call(t, f, f.CreateStream, in)
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:kinesisvideo:eu-west-1:123456789012:stream/cam1/1795303800123"; *created.StreamARN != want {
			t.Errorf("ARN %s, want %s", *created.StreamARN, want)
		}
		if _, err := call(t, f, f.CreateStream, in); code(t, err) != "ResourceInUseException" {
			t.Errorf("second create: %v", err)
		}

		describe := func(in *kinesisvideo.DescribeStreamInput) *kinesisvideo.StreamInfo {
			t.Helper()
			out, err := call(t, f, f.DescribeStream, in)
			if err != nil {
				t.Fatal(err)
			}
			return out.StreamInfo
		}
		info := describe(&kinesisvideo.DescribeStreamInput{StreamName: ptr("cam1")})
		if *info.Status != "ACTIVE" || *info.StreamARN != *created.StreamARN || *info.MediaType != "video/h264" || *info.DataRetentionInHours != 2 ||
			*info.DeviceName != "Kinesis_Video_Device" || info.CreationTime.UnixMilli() != 1795303800123 ||
			*info.KmsKeyId != "arn:aws:kms:eu-west-1:123456789012:alias/aws/kinesisvideo" {
			t.Errorf("described %+v", *info)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9]{20}$`).MatchString(*info.Version) {
			t.Errorf("version %q", *info.Version)
		}
		first := *info.Version

		update := &kinesisvideo.UpdateStreamInput{StreamARN: created.StreamARN, CurrentVersion: first, MediaType: ptr("video/h265")}
		if _, err := call(t, f, f.UpdateStream, update); err != nil {
			t.Fatal(err)
		}
		if _, err := call(t, f, f.UpdateStream, update); code(t, err) != "VersionMismatchException" {
			t.Errorf("update of an old version: %v", err)
		}
		info = describe(&kinesisvideo.DescribeStreamInput{StreamARN: created.StreamARN})
		if *info.Version == first || *info.MediaType != "video/h265" || *info.DeviceName != "Kinesis_Video_Device" {
			t.Errorf("updated to %+v", *info)
		}

		retain := func(op string, by int64) error {
			t.Helper()
			_, err := call(t, f, f.UpdateDataRetention, &kinesisvideo.UpdateDataRetentionInput{
				StreamName: ptr("cam1"), CurrentVersion: *info.Version, Operation: op, DataRetentionChangeInHours: by,
			})
			info = describe(&kinesisvideo.DescribeStreamInput{StreamName: ptr("cam1")})
			return err
		}
		if err := retain("INCREASE_DATA_RETENTION", 3); err != nil || *info.DataRetentionInHours != 5 {
			t.Errorf("retention %d, %v", *info.DataRetentionInHours, err)
		}
		if err := retain("DECREASE_DATA_RETENTION", 5); err != nil || *info.DataRetentionInHours != 0 {
			t.Errorf("retention %d, %v", *info.DataRetentionInHours, err)
		}
		for op, by := range map[string]int64{"INCREASE_DATA_RETENTION": maxRetention + 1, "DECREASE_DATA_RETENTION": 1} {
			if err := retain(op, by); code(t, err) != "InvalidArgumentException" || *info.DataRetentionInHours != 0 {
				t.Errorf("%s %d: %d, %v", op, by, *info.DataRetentionInHours, err)
			}
		}

		if _, err := call(t, f, f.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: *created.StreamARN, CurrentVersion: &first}); code(t, err) != "VersionMismatchException" {
			t.Errorf("delete of an old version: %v", err)
		}
		describe(&kinesisvideo.DescribeStreamInput{StreamName: ptr("cam1")})
		if _, err := call(t, f, f.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: *created.StreamARN, CurrentVersion: info.Version}); err != nil {
			t.Fatal(err)
		}
		if _, err := call(t, f, f.DescribeStream, &kinesisvideo.DescribeStreamInput{StreamName: ptr("cam1")}); code(t, err) != "ResourceNotFoundException" {
			t.Errorf("describe of a deleted stream: %v", err)
		}

		// Its name is free; its ARN is another stream's no more than its media are.
		f.clock.add(time.Second)
		if _, err := call(t, f, f.CreateStream, in); err != nil {
			t.Fatal(err)
		}
		if _, err := call(t, f, f.DeleteStream, &kinesisvideo.DeleteStreamInput{StreamARN: *created.StreamARN}); code(t, err) != "ResourceNotFoundException" {
			t.Errorf("delete by the old ARN: %v", err)
		}
	})
}

func TestCreateStreamLimits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Limits.Streams = 2
		tests := []struct {
			in   kinesisvideo.CreateStreamInput
			want string
		}{
			{kinesisvideo.CreateStreamInput{StreamName: "a", DataRetentionInHours: ptr(int64(maxRetention + 1))}, "InvalidArgumentException"},
			{kinesisvideo.CreateStreamInput{StreamName: "a", Tags: map[string]string{"AWS:x": ""}}, "InvalidArgumentException"},
			{kinesisvideo.CreateStreamInput{StreamName: "a"}, ""},
			{kinesisvideo.CreateStreamInput{StreamName: "b", DataRetentionInHours: ptr(int64(maxRetention))}, ""},
			{kinesisvideo.CreateStreamInput{StreamName: "b"}, "ResourceInUseException"},
			{kinesisvideo.CreateStreamInput{StreamName: "c"}, "AccountStreamLimitExceededException"},
		}
		for _, tt := range tests {
			if _, err := call(t, f, f.CreateStream, &tt.in); code(t, err) != tt.want {
				t.Errorf("create %+v: %v, want %s", tt.in, err, tt.want)
			}
		}
		if _, _, err := callAs(t, f, "222222222222", f.CreateStream, &kinesisvideo.CreateStreamInput{StreamName: "a"}); err != nil {
			t.Errorf("another account's stream of the same name: %v", err)
		}
	})
}

func TestListStreams(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range 7 {
			f.create(t, fmt.Sprintf("cam%d", i), 0)
		}
		f.create(t, "door", 0)
		if _, _, err := callAs(t, f, "222222222222", f.CreateStream, &kinesisvideo.CreateStreamInput{StreamName: "cam9"}); err != nil {
			t.Fatal(err)
		}
		list := func(in kinesisvideo.ListStreamsInput) (names []string, pages int) {
			t.Helper()
			for {
				out, err := call(t, f, f.ListStreams, &in)
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, s := range out.StreamInfoList {
					names = append(names, *s.StreamName)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					return names, pages
				}
			}
		}
		if names, pages := list(kinesisvideo.ListStreamsInput{}); strings.Join(names, " ") != "cam0 cam1 cam2 cam3 cam4 cam5 cam6 door" || pages != 1 {
			t.Errorf("all: %v on %d pages", names, pages)
		}
		if names, pages := list(kinesisvideo.ListStreamsInput{MaxResults: ptr(int64(3))}); len(names) != 8 || pages != 3 {
			t.Errorf("by three: %v on %d pages", names, pages)
		}
		if names, pages := list(kinesisvideo.ListStreamsInput{MaxResults: ptr(int64(4))}); len(names) != 8 || pages != 2 {
			t.Errorf("by four: %v on %d pages", names, pages)
		}
		begins := func(prefix string) *kinesisvideo.StreamNameCondition {
			return &kinesisvideo.StreamNameCondition{ComparisonOperator: ptr("BEGINS_WITH"), ComparisonValue: &prefix}
		}
		if names, _ := list(kinesisvideo.ListStreamsInput{StreamNameCondition: begins("cam"), MaxResults: ptr(int64(2))}); len(names) != 7 {
			t.Errorf("cam*: %v", names)
		}
		if names, _ := list(kinesisvideo.ListStreamsInput{StreamNameCondition: begins("cam6")}); len(names) != 1 {
			t.Errorf("cam6*: %v", names)
		}
		if names, _ := list(kinesisvideo.ListStreamsInput{StreamNameCondition: begins("zoo")}); len(names) != 0 {
			t.Errorf("zoo*: %v", names)
		}
		for _, bad := range []kinesisvideo.ListStreamsInput{
			{NextToken: ptr("x")}, {NextToken: ptr("AP8=")}, {StreamNameCondition: &kinesisvideo.StreamNameCondition{}},
		} {
			if _, err := call(t, f, f.ListStreams, &bad); code(t, err) != "InvalidArgumentException" {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

func TestTags(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "tagged", 0)
		arn := st.ARN()
		want := func(tags map[string]string) {
			t.Helper()
			a, err := call(t, f, f.ListTagsForStream, &kinesisvideo.ListTagsForStreamInput{StreamName: ptr("tagged")})
			if err != nil || !maps.Equal(a.Tags, tags) {
				t.Errorf("tags %v, %v, want %v", a, err, tags)
			}
			b, err := call(t, f, f.ListTagsForResource, &kinesisvideo.ListTagsForResourceInput{ResourceARN: arn})
			if err != nil || !maps.Equal(b.Tags, tags) {
				t.Errorf("tags %v, %v, want %v", b, err, tags)
			}
		}
		want(nil)
		do := func(_ any, err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		do(call(t, f, f.TagStream, &kinesisvideo.TagStreamInput{StreamARN: &arn, Tags: map[string]string{"a": "1", "b": "2"}}))
		do(call(t, f, f.TagResource, &kinesisvideo.TagResourceInput{ResourceARN: arn, Tags: []kinesisvideo.Tag{{Key: "b", Value: "3"}, {Key: "ü <&>", Value: ""}}}))
		want(map[string]string{"a": "1", "b": "3", "ü <&>": ""})
		do(call(t, f, f.UntagStream, &kinesisvideo.UntagStreamInput{StreamName: ptr("tagged"), TagKeyList: []string{"a", "nothing"}}))
		do(call(t, f, f.UntagResource, &kinesisvideo.UntagResourceInput{ResourceARN: arn, TagKeyList: []string{"ü <&>"}}))
		want(map[string]string{"b": "3"})

		many := map[string]string{}
		for i := range 50 {
			many[fmt.Sprint(i)] = ""
		}
		if _, err := call(t, f, f.TagStream, &kinesisvideo.TagStreamInput{StreamARN: &arn, Tags: many}); code(t, err) != "TagsPerResourceExceededLimitException" {
			t.Errorf("51 tags: %v", err)
		}
		want(map[string]string{"b": "3"})
		if _, err := call(t, f, f.TagStream, &kinesisvideo.TagStreamInput{StreamARN: &arn, Tags: map[string]string{"aws:x": ""}}); code(t, err) != "InvalidArgumentException" {
			t.Errorf("reserved key: %v", err)
		}
	})
}

// What a request is authorized on, and that the method acts on that and nothing else.
func TestResolve(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.create(t, "cam", 0)
		none := "arn:aws:kinesisvideo:eu-west-1:123456789012:stream/%s/0"
		other := strings.Replace(st.ARN(), "123456789012", "222222222222", 1)
		channel := "arn:aws:kinesisvideo:eu-west-1:123456789012:channel/cam/1"
		tests := []struct {
			name, arn *string
			resource  string // or an error's code
		}{
			{ptr("cam"), nil, st.ARN()},
			{nil, ptr(st.ARN()), st.ARN()},
			{ptr("cam"), ptr(st.ARN()), st.ARN()},
			{ptr("cam2"), ptr(st.ARN()), "InvalidArgumentException"},
			{nil, nil, "InvalidArgumentException"},
			{nil, ptr("arn:aws:kinesisvideo:eu-west-1:123456789012:stream"), "InvalidArgumentException"},
			{ptr("missing"), nil, fmt.Sprintf(none, "missing")},
			{nil, ptr(strings.TrimSuffix(st.ARN(), "3") + "4"), fmt.Sprintf(none, "cam")},
			{nil, &other, other},
			{nil, ptr(strings.Replace(st.ARN(), "eu-west-1", "us-east-1", 1)), strings.Replace(st.ARN(), "eu-west-1", "us-east-1", 1)},
			{nil, &channel, channel},
		}
		for _, tt := range tests {
			in := &kvmedia.GetMediaInput{StreamName: tt.name, StreamARN: tt.arn}
			res, err := f.Resolve(as(t.Context(), account), &awsapi.Operation{Name: "GetMedia"}, in)
			if err != nil {
				if code(t, err) != tt.resource {
					t.Errorf("%s %s: %v, want %s", value(tt.name), value(tt.arn), err, tt.resource)
				}
				continue
			}
			if len(res.Checks) != 1 || res.Checks[0].Resource != tt.resource {
				t.Errorf("%s %s: checks %+v, want %s", value(tt.name), value(tt.arn), res.Checks, tt.resource)
			}
			if found, _ := res.Target.(*Stream); (found != nil) != (tt.resource == st.ARN()) {
				t.Errorf("%s %s: target %+v", value(tt.name), value(tt.arn), found)
			}
			if res.Target == nil {
				if _, err := call(t, f, f.GetMedia, in); code(t, err) != "ResourceNotFoundException" {
					t.Errorf("%s %s: %v", value(tt.name), value(tt.arn), err)
				}
			}
		}
		create := &kinesisvideo.CreateStreamInput{StreamName: "new"}
		if res, err := f.Resolve(as(t.Context(), account), &awsapi.Operation{}, create); err != nil || res.Checks[0].Resource != fmt.Sprintf(none, "new") {
			t.Errorf("create: %+v, %v", res, err)
		}
		// Every operation that is resolved names its stream.
		for _, service := range []*awsapi.Service{kinesisvideo.Service, kvmedia.Service} {
			for _, op := range service.Operations {
				if op.Resource == "@" && op.Bind(f.Service) != nil {
					if _, _, ok := streamOf(op.New()); !ok {
						t.Errorf("%s: %T names no stream", op.Name, op.New())
					}
				}
			}
		}
	})
}

func TestGetDataEndpoint(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.create(t, "cam", 0)
		in := &kinesisvideo.GetDataEndpointInput{StreamName: ptr("cam"), APIName: "PUT_MEDIA"}
		out, err := call(t, f, f.GetDataEndpoint, in)
		if err != nil || *out.DataEndpoint != "http://video.example:4566" {
			t.Errorf("%v, %v", out, err)
		}
		st := must(f.stream(t.Context(), account, region, "cam"))
		ctx := awsapi.WithRequest(t.Context(), &awsapi.Request{Caller: &awsapi.Caller{Account: account}, TLS: true, Target: st})
		out, err = f.Service.GetDataEndpoint(ctx, in)
		if err != nil || *out.DataEndpoint != "https://video.example:4566" {
			t.Errorf("%v, %v", out, err)
		}
		in.StreamName = ptr("none")
		if _, err := call(t, f, f.GetDataEndpoint, in); code(t, err) != "ResourceNotFoundException" {
			t.Errorf("of no stream: %v", err)
		}
	})
}
