import { CreateStreamCommand } from "@aws-sdk/client-kinesis-video";
import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tiles from "@cloudscape-design/components/tiles";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { send } from "../api";
import { deviceFault, mediaFault, nameFault, retentionFault } from "../names";

/** StreamCreate makes a video stream. */
export function StreamCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [custom, setCustom] = useState(false);
  const [hours, setHours] = useState("24");
  const [device, setDevice] = useState("");
  const [media, setMedia] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const wrong = { name: nameFault(name), hours: custom ? retentionFault(hours) : undefined, device: custom ? deviceFault(device) : undefined, media: custom ? mediaFault(media) : undefined, tags: tagFault(tags) };
  return (
    <FormPage
      title="Create video stream"
      submit="Create video stream"
      onCancel={() => go("#/kinesisvideo/streams")}
      valid={() => {
        setTried(true);
        return Object.values(wrong).every((w) => w === undefined);
      }}
      onSubmit={async () => {
        await send(
          new CreateStreamCommand({
            StreamName: name,
            DataRetentionInHours: custom ? Number(hours) : 24,
            DeviceName: (custom && device) || undefined,
            MediaType: (custom && media) || undefined,
            Tags: tags.length ? Object.fromEntries(tags.map((t) => [t.Key, t.Value])) : undefined,
          }),
        );
        notify({ type: "success", content: `Stream ${name} created.` });
        go(to(["kinesisvideo", "streams", "details", name]));
      }}
    >
      <Container header={<Header variant="h2">Video stream configuration</Header>}>
        <SpaceBetween size="m">
          <FormField label="Video stream name" constraintText="Up to 256 letters, digits, and the characters . _ -" errorText={tried && wrong.name}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} placeholder="ExampleStreamName" autoComplete={false} />
          </FormField>
          <Tiles
            ariaLabel="Configuration"
            columns={2}
            value={custom ? "custom" : "default"}
            onChange={({ detail }) => setCustom(detail.value === "custom")}
            items={[
              { value: "default", label: "Default configuration", description: "Video is kept for one day." },
              { value: "custom", label: "Custom configuration", description: "Choose how long video is kept, and what is said of it." },
            ]}
          />
          {custom && (
            <SpaceBetween size="m">
              <FormField
                label="Data retention, in hours"
                description="How long video is kept. With 0 it can be watched live, and nothing is kept."
                errorText={tried && wrong.hours}
              >
                <Input type="number" value={hours} onChange={({ detail }) => setHours(detail.value)} />
              </FormField>
              <FormField label="Device name - optional" description="The device that writes to the stream." errorText={tried && wrong.device}>
                <Input value={device} onChange={({ detail }) => setDevice(detail.value)} />
              </FormField>
              <FormField label="Media type - optional" description="The media types of the stream. Producers set it by themselves too." errorText={tried && wrong.media}>
                <Input value={media} onChange={({ detail }) => setMedia(detail.value)} placeholder="video/h264" />
              </FormField>
            </SpaceBetween>
          )}
        </SpaceBetween>
      </Container>
      <TagsSection tags={tags} onChange={setTags} />
      {tried && wrong.tags && <Alert type="error">{wrong.tags}</Alert>}
    </FormPage>
  );
}
