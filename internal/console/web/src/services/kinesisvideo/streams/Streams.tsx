import type { StreamInfo } from "@aws-sdk/client-kinesis-video";
import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { DeletableList, type Deleting } from "../../../kit/DeletableList";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { deleteStream, listStreams } from "../api";
import { retention } from "../names";

/** Streams is the list of the account's video streams. */
export function Streams() {
  const streams = useLoad(listStreams, [], 15_000);
  return (
    <DeletableList
      title="Video streams"
      description="A video stream takes in the video and audio of one camera or device, keeps it, and gives it back by time."
      items={streams}
      id={(s) => s.StreamName ?? ""}
      columns={[
        { id: "name", header: "Stream name", text: (s) => s.StreamName, cell: (s) => <Link href={to(["kinesisvideo", "streams", "details", s.StreamName ?? ""])}>{s.StreamName}</Link> },
        { id: "status", header: "Status", text: (s) => s.Status, cell: (s) => <Status stream={s} /> },
        { id: "retention", header: "Data retention", text: (s) => s.DataRetentionInHours, cell: (s) => retention(s.DataRetentionInHours) },
        { id: "media", header: "Media type", text: (s) => s.MediaType },
        { id: "device", header: "Device name", text: (s) => s.DeviceName },
        { id: "created", header: "Creation time", text: (s) => s.CreationTime, cell: (s) => time(s.CreationTime) },
      ]}
      filter="Search video streams"
      empty={{
        title: "No video streams",
        text: "There are no video streams in this region.",
        action: <Button href="#/kinesisvideo/streams/create">Create video stream</Button>,
      }}
      one="Stream"
      create={{ href: "#/kinesisvideo/streams/create", text: "Create video stream" }}
      confirm={(s, deleting) => <DeleteStream stream={s} {...deleting} />}
    />
  );
}

/** Status is a stream's state, in AWS's words. */
export function Status({ stream: { Status: status } }: { stream: StreamInfo }) {
  switch (status) {
    case "ACTIVE":
      return <StatusIndicator>Active</StatusIndicator>;
    case "DELETING":
      return <StatusIndicator type="in-progress">Deleting</StatusIndicator>;
    case "CREATING":
      return <StatusIndicator type="in-progress">Creating</StatusIndicator>;
    case "UPDATING":
      return <StatusIndicator type="in-progress">Updating</StatusIndicator>;
    default:
      return <>{status ?? "-"}</>;
  }
}

export function DeleteStream({ stream, onDismiss, onDeleted }: { stream: StreamInfo } & Deleting) {
  const name = stream.StreamName ?? "";
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await deleteStream(stream);
        await onDeleted();
      }}
    >
      The stream and all video in it are deleted. Who is sending to it is cut off. This cannot be undone.
    </ConfirmModal>
  );
}
