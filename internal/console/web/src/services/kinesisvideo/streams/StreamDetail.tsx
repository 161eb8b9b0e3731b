import { TagStreamCommand, UntagStreamCommand, UpdateStreamCommand, type StreamInfo } from "@aws-sdk/client-kinesis-video";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { TagsTab } from "../../../kit/Tags";
import type { Params } from "../../service";
import { describe, send, setRetention, tagsOf } from "../api";
import { deviceFault, mediaFault, retention, retentionFault } from "../names";
import { Archive } from "./Archive";
import { Playback } from "./Playback";
import { DeleteStream, Status } from "./Streams";

/** StreamDetail is the screen of a video stream. */
export function StreamDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const stream = useLoad(() => describe(name), [name], 15_000);
  const tags = useLoad(() => tagsOf(name), [name]);
  const [dialog, setDialog] = useState<"delete" | "edit" | "retention">();
  const close = () => setDialog(undefined);
  return (
    <>
      <DetailPage
        title={name}
        of={stream}
        summaryTitle="Video stream info"
        summary={(s) => [
          { label: "Status", value: <Status stream={s} /> },
          { label: "Data retention", value: retention(s.DataRetentionInHours) },
          { label: "Creation time", value: time(s.CreationTime) },
          { label: "Media type", value: s.MediaType },
          { label: "Device name", value: s.DeviceName },
          { label: "Version", value: s.Version },
          { label: "Stream ARN", value: <Copy text={s.StreamARN ?? ""} what="Stream ARN" /> },
          { label: "KMS key", value: s.KmsKeyId },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => setDialog("delete")}>Delete</Button>
            <Button onClick={() => setDialog("edit")}>Edit</Button>
            <Button onClick={() => setDialog("retention")}>Edit data retention</Button>
          </SpaceBetween>
        )}
        tabs={(s) => [
          { id: "archive", label: "Fragments", content: <Archive key={s.StreamARN} name={name} kept={s.DataRetentionInHours ?? 0} /> },
          { id: "playback", label: "Media playback", content: <Playback name={name} /> },
          {
            id: "tags",
            label: "Tags",
            content: (
              <TagsTab
                tags={tags}
                save={async (set, remove) => {
                  if (set.length) await send(new TagStreamCommand({ StreamName: name, Tags: Object.fromEntries(set.map((t) => [t.Key, t.Value])) }));
                  if (remove.length) await send(new UntagStreamCommand({ StreamName: name, TagKeyList: remove }));
                }}
              />
            ),
          },
        ]}
      />
      {dialog === "retention" && stream.data && <Retention stream={stream.data} onDismiss={close} onDone={stream.reload} />}
      {dialog === "edit" && stream.data && <Edit stream={stream.data} onDismiss={close} onDone={stream.reload} />}
      {dialog === "delete" && stream.data && (
        <DeleteStream
          stream={stream.data}
          onDismiss={close}
          onDeleted={() => {
            notify({ type: "success", content: `Stream ${name} deleted.` });
            go("#/kinesisvideo/streams");
          }}
        />
      )}
    </>
  );
}

interface DialogProps {
  stream: StreamInfo;
  onDismiss: () => void;
  onDone: () => Promise<void>;
}

function Retention({ stream, onDismiss, onDone }: DialogProps) {
  const [hours, setHours] = useState(String(stream.DataRetentionInHours ?? 0));
  const fault = retentionFault(hours);
  const less = !fault && Number(hours) < (stream.DataRetentionInHours ?? 0);
  return (
    <ConfirmModal
      title="Edit data retention"
      verb="Save changes"
      ready={!fault}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await setRetention(stream.StreamName ?? "", Number(hours));
        await onDone();
      }}
    >
      <FormField label="Data retention, in hours" errorText={fault} warningText={less && "Video that is older is deleted."}>
        <Input type="number" value={hours} onChange={({ detail }) => setHours(detail.value)} />
      </FormField>
    </ConfirmModal>
  );
}

function Edit({ stream, onDismiss, onDone }: DialogProps) {
  const [device, setDevice] = useState(stream.DeviceName ?? "");
  const [media, setMedia] = useState(stream.MediaType ?? "");
  const wrong = { device: deviceFault(device), media: mediaFault(media) };
  // AWS's API takes neither back: what is empty stays what it was.
  return (
    <ConfirmModal
      title={`Edit ${stream.StreamName}`}
      verb="Save changes"
      ready={!wrong.device && !wrong.media && (device !== "" || media !== "")}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new UpdateStreamCommand({ StreamName: stream.StreamName, CurrentVersion: stream.Version, DeviceName: device || undefined, MediaType: media || undefined }));
        await onDone();
      }}
    >
      <FormField label="Device name" errorText={wrong.device} constraintText={stream.DeviceName && "It can be changed, not removed."}>
        <Input value={device} onChange={({ detail }) => setDevice(detail.value)} />
      </FormField>
      <FormField label="Media type" errorText={wrong.media} constraintText={stream.MediaType && "It can be changed, not removed."}>
        <Input value={media} onChange={({ detail }) => setMedia(detail.value)} placeholder="video/h264" />
      </FormField>
    </ConfirmModal>
  );
}
