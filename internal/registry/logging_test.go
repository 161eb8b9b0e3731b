package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/thingd/thingd/internal/iotlog"
)

const loggingRole = "arn:aws:iam::123456789012:role/logs"

func TestLoggingOptions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.Client.GetV2LoggingOptions(ctx, &sdk.GetV2LoggingOptionsInput{})
		refused(t, err, "NotConfiguredException", 404, "not configured")
		_, err = w.Client.ListV2LoggingLevels(ctx, &sdk.ListV2LoggingLevelsInput{})
		refused(t, err, "NotConfiguredException", 404, "not configured")
		level := func() string {
			l, err := w.LogLevel(ctx, account, region, iotlog.Target{ClientID: "cam"})
			if err != nil {
				t.Error(err)
			}
			return l.String()
		}
		if old := must(w.Client.GetLoggingOptions(ctx, &sdk.GetLoggingOptionsInput{}))(t); old.LogLevel != "" || old.RoleArn != nil || level() != "DISABLED" {
			t.Errorf("got %+v", old)
		}
		for name, role := range map[string]string{"no ARN": "logs", "no role": "arn:aws:iam::123456789012:user/logs", "no service": "arn:aws:iot::123456789012:role/logs"} {
			t.Log(name)
			_, err = w.Client.SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{RoleArn: &role})
			refused(t, err, "InvalidRequestException", 400, role)
			_, err = w.Client.SetLoggingOptions(ctx, &sdk.SetLoggingOptionsInput{LoggingOptionsPayload: &types.LoggingOptionsPayload{RoleArn: &role}})
			refused(t, err, "InvalidRequestException", 400, role)
		}
		_, err = w.Client.SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{DefaultLogLevel: "INFO"})
		refused(t, err, "InvalidRequestException", 400, "role")
		_, err = w.Client.SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{RoleArn: str(loggingRole), DefaultLogLevel: "LOUD"})
		refused(t, err, "InvalidRequestException", 400, "defaultLogLevel")

		// The older form alone: there are no levels for targets.
		must(w.Client.SetLoggingOptions(ctx, &sdk.SetLoggingOptionsInput{LoggingOptionsPayload: &types.LoggingOptionsPayload{RoleArn: str(loggingRole), LogLevel: "WARN"}}))(t)
		if old := must(w.Client.GetLoggingOptions(ctx, &sdk.GetLoggingOptionsInput{}))(t); old.LogLevel != "WARN" || *old.RoleArn != loggingRole || level() != "WARN" {
			t.Errorf("got %+v, level %s", old, level())
		}
		_, err = w.Client.GetV2LoggingOptions(ctx, &sdk.GetV2LoggingOptionsInput{})
		refused(t, err, "NotConfiguredException", 404, "not configured")
		_, err = w.Client.SetV2LoggingLevel(ctx, &sdk.SetV2LoggingLevelInput{LogTarget: &types.LogTarget{TargetType: "CLIENT_ID", TargetName: str("cam")}, LogLevel: "INFO"})
		refused(t, err, "NotConfiguredException", 404, "not configured")

		for _, c := range []struct {
			in   sdk.SetV2LoggingOptionsInput
			want string
		}{
			{sdk.SetV2LoggingOptionsInput{RoleArn: str(loggingRole + "2"), DefaultLogLevel: "DEBUG"}, loggingRole + "2 DEBUG false DEBUG"},
			{sdk.SetV2LoggingOptionsInput{DisableAllLogs: true}, loggingRole + "2 DEBUG true DISABLED"},
			{sdk.SetV2LoggingOptionsInput{DefaultLogLevel: "INFO"}, loggingRole + "2 INFO false INFO"},
			{sdk.SetV2LoggingOptionsInput{DefaultLogLevel: "DISABLED"}, loggingRole + "2 DISABLED false DISABLED"},
		} {
			must(w.Client.SetV2LoggingOptions(ctx, &c.in))(t)
			o := must(w.Client.GetV2LoggingOptions(ctx, &sdk.GetV2LoggingOptionsInput{}))(t)
			if got := fmt.Sprint(*o.RoleArn, " ", o.DefaultLogLevel, " ", o.DisableAllLogs, " ", level()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		}
		_, err = w.as(other, region).GetV2LoggingOptions(ctx, &sdk.GetV2LoggingOptionsInput{})
		refused(t, err, "NotConfiguredException", 404, "not configured")
		_, err = w.as(other, region).SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{RoleArn: str(loggingRole)})
		refused(t, err, "AccessDeniedException", 403, "Cross-account pass role is not allowed.")
		must(w.as(other, region).SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{DisableAllLogs: true}))(t)
		if o := must(w.as(other, region).GetV2LoggingOptions(ctx, &sdk.GetV2LoggingOptionsInput{}))(t); o.RoleArn != nil || !o.DisableAllLogs {
			t.Errorf("got %+v", o)
		}
	})
}

func TestLoggingRoleIsPassed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const want = "iot:%s *; iam:PassRole " + loggingRole + " map[iam:PassedToService:[iot.amazonaws.com]]"
		must(w.Client.SetV2LoggingOptions(t.Context(), &sdk.SetV2LoggingOptionsInput{RoleArn: str(loggingRole)}))(t)
		if got := w.guard.last(); got != fmt.Sprintf(want, "SetV2LoggingOptions") {
			t.Error(got)
		}
		must(w.Client.SetLoggingOptions(t.Context(), &sdk.SetLoggingOptionsInput{LoggingOptionsPayload: &types.LoggingOptionsPayload{RoleArn: str(loggingRole)}}))(t)
		if got := w.guard.last(); got != fmt.Sprintf(want, "SetLoggingOptions") {
			t.Error(got)
		}
	})
}

func TestLoggingLevels(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fleet(t, w)
		must(w.Client.SetV2LoggingOptions(ctx, &sdk.SetV2LoggingOptionsInput{RoleArn: str(loggingRole), DefaultLogLevel: "WARN"}))(t)
		set := func(kind, name, level string) error {
			target := &types.LogTarget{TargetType: types.LogTargetType(kind)}
			if name != "" {
				target.TargetName = &name
			}
			_, err := w.Client.SetV2LoggingLevel(ctx, &sdk.SetV2LoggingLevelInput{LogTarget: target, LogLevel: types.LogLevel(level)})
			return err
		}
		for _, c := range [][3]string{
			{"CLIENT_ID", "", "1 to 128"}, {"CLIENT_ID", strings.Repeat("x", 129), "1 to 128"}, {"SOURCE_IP", "here", "here is not an IP address"},
			{"THING_GROUP", "none", "Thing group none does not exist"}, {"DEFAULT", "x", "no target name"}, {"TOPIC", "x", "targetType"},
		} {
			refused(t, set(c[0], c[1], "INFO"), "InvalidRequestException", 400, c[2])
		}
		refused(t, set("CLIENT_ID", "cam", "LOUD"), "InvalidRequestException", 400, "logLevel")
		for _, c := range [][3]string{
			{"CLIENT_ID", "cam", "DISABLED"}, {"CLIENT_ID", "cam", "DEBUG"}, {"CLIENT_ID", "quiet", "DISABLED"}, {"PRINCIPAL_ID", "abc", "INFO"},
			{"SOURCE_IP", "2001:DB8::0:1", "ERROR"}, {"SOURCE_IP", "::ffff:192.0.2.1", "DEBUG"}, {"THING_GROUP", "middle", "INFO"}, {"DEFAULT", "", "ERROR"},
		} {
			if err := set(c[0], c[1], c[2]); err != nil {
				t.Fatal(err)
			}
		}
		list := func(kind string) string {
			var out []string
			for p := sdk.NewListV2LoggingLevelsPaginator(w.Client, &sdk.ListV2LoggingLevelsInput{TargetType: types.LogTargetType(kind), MaxResults: new(int32(2))}); p.HasMorePages(); {
				for _, c := range must(p.NextPage(ctx))(t).LogTargetConfigurations {
					out = append(out, fmt.Sprint(c.LogTarget.TargetType, "/", text(c.LogTarget.TargetName), "=", c.LogLevel))
				}
			}
			if !slices.IsSorted(out) {
				t.Errorf("not in order: %v", out)
			}
			return strings.Join(out, " ")
		}
		const ips = "SOURCE_IP/192.0.2.1=DEBUG SOURCE_IP/2001:db8::1=ERROR"
		if got := list(""); got != "CLIENT_ID/cam=DEBUG CLIENT_ID/quiet=DISABLED DEFAULT/=ERROR PRINCIPAL_ID/abc=INFO "+ips+" THING_GROUP/middle=INFO" {
			t.Error(got)
		}
		if got := list("SOURCE_IP"); got != ips {
			t.Error(got)
		}
		_, err := w.Client.ListV2LoggingLevels(ctx, &sdk.ListV2LoggingLevelsInput{NextToken: str("AAAA")})
		refused(t, err, "InvalidRequestException", 400, "token")
		for _, c := range []struct {
			target iotlog.Target
			want   string
		}{
			{iotlog.Target{}, "ERROR"}, {iotlog.Target{ClientID: "other", PrincipalID: "x", SourceIP: "192.0.2.2", Groups: []string{"top"}}, "ERROR"},
			{iotlog.Target{ClientID: "cam"}, "DEBUG"}, {iotlog.Target{ClientID: "quiet"}, "DISABLED"}, {iotlog.Target{ClientID: "quiet", PrincipalID: "abc"}, "INFO"},
			{iotlog.Target{Groups: []string{"low", "middle", "top"}}, "INFO"}, {iotlog.Target{SourceIP: "192.0.2.1"}, "DEBUG"},
		} {
			if got, err := w.LogLevel(ctx, account, region, c.target); err != nil || got.String() != c.want {
				t.Errorf("%+v: %s, %v, want %s", c.target, got, err, c.want)
			}
		}
		if got, err := w.LogLevel(ctx, other, region, iotlog.Target{ClientID: "cam"}); err != nil || got != iotlog.Disabled {
			t.Error("another account's levels", got, err)
		}
		remove := func(kind, name string) error {
			_, err := w.Client.DeleteV2LoggingLevel(ctx, &sdk.DeleteV2LoggingLevelInput{TargetType: types.LogTargetType(kind), TargetName: &name})
			return err
		}
		refused(t, remove("DEFAULT", "x"), "InvalidRequestException", 400, "default")
		refused(t, remove("SOURCE_IP", "x"), "InvalidRequestException", 400, "IP")
		for _, c := range [][2]string{{"CLIENT_ID", "cam"}, {"CLIENT_ID", "cam"}, {"SOURCE_IP", "2001:db8:0::1"}} {
			if err := remove(c[0], c[1]); err != nil {
				t.Fatal(err)
			}
		}
		must(w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: str("low")}))(t)
		must(w.Client.DeleteThingGroup(ctx, &sdk.DeleteThingGroupInput{ThingGroupName: str("middle")}))(t)
		if got := list(""); got != "CLIENT_ID/quiet=DISABLED DEFAULT/=ERROR PRINCIPAL_ID/abc=INFO SOURCE_IP/192.0.2.1=DEBUG" {
			t.Error(got)
		}
	})
}

func TestEventConfigurations(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		on := func(c *sdk.Client) string {
			out := must(c.DescribeEventConfigurations(ctx, &sdk.DescribeEventConfigurationsInput{}))(t)
			if len(out.EventConfigurations) != 11 {
				t.Errorf("%d types", len(out.EventConfigurations))
			}
			var names []string
			for typ, c := range out.EventConfigurations {
				if c.Enabled {
					names = append(names, typ)
				}
				if enabled, err := w.EventEnabled(ctx, account, region, typ); err != nil || enabled != c.Enabled {
					t.Errorf("%s is enabled: %t, %v", typ, enabled, err)
				}
			}
			slices.Sort(names)
			return fmt.Sprint(names, " ", out.CreationDate != nil, " ", out.LastModifiedDate != nil)
		}
		if got := on(w.Client); got != "[] false false" {
			t.Error(got)
		}
		for _, c := range []struct {
			change map[string]types.Configuration
			want   string
		}{
			{map[string]types.Configuration{"THING": {Enabled: true}, "JOB": {Enabled: true}}, "[JOB THING] true true"},
			{map[string]types.Configuration{"THING": {}, "THING_GROUP_MEMBERSHIP": {Enabled: true}}, "[JOB THING_GROUP_MEMBERSHIP] true true"},
			{nil, "[JOB THING_GROUP_MEMBERSHIP] true true"},
			{map[string]types.Configuration{"JOB": {}, "THING_GROUP_MEMBERSHIP": {}}, "[] true true"},
		} {
			must(w.Client.UpdateEventConfigurations(ctx, &sdk.UpdateEventConfigurationsInput{EventConfigurations: c.change}))(t)
			if got := on(w.Client); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		}
		_, err := w.Client.UpdateEventConfigurations(ctx, &sdk.UpdateEventConfigurationsInput{EventConfigurations: map[string]types.Configuration{"RAIN": {Enabled: true}}})
		refused(t, err, "InvalidRequestException", 400, "eventConfigurations")
		if got := on(w.as(other, region)); got != "[] false false" {
			t.Error(got)
		}
	})
}
