package arn

import "testing"

func TestParse(t *testing.T) {
	tests := []struct {
		in            string
		want          ARN
		typ, id, name string
		bad           bool
	}{
		{in: "arn:aws:iot:us-east-1:123456789012:thing/cam1",
			want: ARN{"aws", "iot", "us-east-1", "123456789012", "thing/cam1"}, typ: "thing", id: "cam1", name: "cam1"},
		{in: "arn:aws:iam::123456789012:user/eng/alice",
			want: ARN{"aws", "iam", "", "123456789012", "user/eng/alice"}, typ: "user", id: "eng/alice", name: "alice"},
		{in: "arn:aws:iam::123456789012:root",
			want: ARN{"aws", "iam", "", "123456789012", "root"}, typ: "", id: "root", name: "root"},
		{in: "arn:aws:iot:us-east-1:123456789012:topic/a:b:c",
			want: ARN{"aws", "iot", "us-east-1", "123456789012", "topic/a:b:c"}, typ: "topic", id: "a:b:c", name: "a:b:c"},
		{in: "arn:aws:s3:::bucket/key", want: ARN{"aws", "s3", "", "", "bucket/key"}, typ: "bucket", id: "key", name: "key"},
		{in: "", bad: true},
		{in: "*", bad: true},
		{in: "arn:aws:iot:us-east-1:123456789012", bad: true},
		{in: "arn:aws:iot:us-east-1:123456789012:", bad: true},
		{in: "arn::iot:us-east-1:123456789012:x", bad: true},
		{in: "arn:aws::us-east-1:123456789012:x", bad: true},
		{in: "ARN:aws:iot:us-east-1:123456789012:x", bad: true},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in)
			if tt.bad {
				if err == nil {
					t.Fatalf("Parse = %+v, want an error", got)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("Parse = %+v, %v; want %+v", got, err, tt.want)
			}
			if got.String() != tt.in {
				t.Errorf("String = %q", got.String())
			}
			if got.Type() != tt.typ || got.ID() != tt.id || got.Name() != tt.name {
				t.Errorf("Type, ID, Name = %q, %q, %q; want %q, %q, %q", got.Type(), got.ID(), got.Name(), tt.typ, tt.id, tt.name)
			}
		})
	}
}

func TestNew(t *testing.T) {
	if got := New("kinesisvideo", "us-east-1", "123456789012", "stream/cam1/1700000000000"); got != "arn:aws:kinesisvideo:us-east-1:123456789012:stream/cam1/1700000000000" {
		t.Errorf("New = %q", got)
	}
}

func TestIsAccount(t *testing.T) {
	for s, want := range map[string]bool{"123456789012": true, "12345678901": false, "12345678901x": false, "": false, "aws": false} {
		if IsAccount(s) != want {
			t.Errorf("IsAccount(%q) = %v", s, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:iot:us-east-1:123456789012:thing/cam1")
	f.Add("arn:aws:s3:::b")
	f.Add(":::::")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err == nil && a.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, a.String())
		}
	})
}
