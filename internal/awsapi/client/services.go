package client

import (
	"fmt"
	"strings"

	"github.com/thingd/thingd/internal/api/iam"
	"github.com/thingd/thingd/internal/api/iot"
	"github.com/thingd/thingd/internal/api/iotdata"
	"github.com/thingd/thingd/internal/api/iotjobs"
	"github.com/thingd/thingd/internal/api/kinesisvideo"
	"github.com/thingd/thingd/internal/api/kvarchive"
	"github.com/thingd/thingd/internal/api/kvmedia"
	"github.com/thingd/thingd/internal/api/sts"
	"github.com/thingd/thingd/internal/awsapi"
)

// service finds a service by its name, in which case and hyphens do not count:
// the SDKs say IoTDataPlane, the AWS CLI iot-data, boto3 iot-data, we iotdata.
func service(name string) (*awsapi.Service, error) {
	switch strings.ToLower(strings.ReplaceAll(name, "-", "")) {
	case "iot":
		return iot.Service, nil
	case "iotdata", "iotdataplane":
		return iotdata.Service, nil
	case "iotjobs", "iotjobsdata", "iotjobsdataplane":
		return iotjobs.Service, nil
	case "iam":
		return iam.Service, nil
	case "sts":
		return sts.Service, nil
	case "kinesisvideo":
		return kinesisvideo.Service, nil
	case "kvmedia", "kinesisvideomedia":
		return kvmedia.Service, nil
	case "kvarchive", "kinesisvideoarchivedmedia":
		return kvarchive.Service, nil
	}
	return nil, fmt.Errorf("there is no service %.80q; there are iot, iot-data, iot-jobs-data, iam, sts, kinesisvideo, kinesis-video-media and kinesis-video-archived-media", name)
}

// operation finds an operation by its name, whose first letter may be small.
func operation(s *awsapi.Service, name string) (*awsapi.Operation, error) {
	for _, op := range s.Operations {
		if strings.EqualFold(op.Name, name) {
			return op, nil
		}
	}
	return nil, fmt.Errorf("%s has no operation %.80q", s.Title, name)
}
