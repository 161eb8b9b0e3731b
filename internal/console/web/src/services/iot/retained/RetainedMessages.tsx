import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { PublishCommand, type RetainedMessageSummary } from "@aws-sdk/client-iot-data-plane";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useMany } from "../../../kit/many";
import { pageOfRetained, sendData } from "../api";
import { PublishRetained } from "./PublishRetained";

export const retainedLink = (topic: string) => to(["iot", "retained-messages", "details"], { topic });

/** RetainedMessages is the list of the messages that are kept for who subscribes later. */
export function RetainedMessages() {
  const notify = useNotify();
  const messages = useMany(pageOfRetained, [], "retained messages", 5_000);
  const [selected, select] = useState<RetainedMessageSummary[]>([]);
  const [asking, ask] = useState<"publish" | "delete">();
  return (
    <>
      <List
        title="Retained messages"
        description={<SpaceBetween size="xxs">{["A retained message is the last one that was published to a topic to be kept: who subscribes later is sent it.", messages.note]}</SpaceBetween>}
        items={messages}
        id={(m) => m.topic ?? ""}
        columns={[
          { id: "topic", header: "Topic", text: (m) => m.topic, cell: (m) => <Link href={retainedLink(m.topic ?? "")}>{m.topic}</Link> },
          { id: "size", header: "Payload size (bytes)", text: (m) => m.payloadSize, width: 170 },
          { id: "qos", header: "QoS", text: (m) => m.qos, width: 110 },
          { id: "at", header: "Last updated", text: (m) => m.lastModifiedTime, cell: (m) => time(m.lastModifiedTime === undefined ? undefined : new Date(m.lastModifiedTime)), width: 310 },
        ]}
        filter="Search topics"
        empty={{ title: "No retained messages", text: "No message has been published with RETAIN.", action: <Button onClick={() => ask("publish")}>Publish a retained message</Button> }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => ask("delete")}>
              Delete
            </Button>
            <Button variant="primary" onClick={() => ask("publish")}>
              Publish
            </Button>
          </>
        )}
      />
      {asking === "publish" && (
        <PublishRetained
          onDismiss={() => ask(undefined)}
          onDone={async (topic) => {
            notify({ type: "success", content: `Published to ${topic}, and retained.` });
            await messages.reload();
          }}
        />
      )}
      {asking === "delete" && (
        <DeleteRetained
          topics={selected.map((m) => m.topic ?? "")}
          onDismiss={() => ask(undefined)}
          onDone={async () => {
            select([]);
            notify({ type: "success", content: "Retained messages deleted." });
            await messages.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteRetained({ topics, onDismiss, onDone }: { topics: string[]; onDismiss: () => void; onDone: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={topics.length === 1 ? "Delete the retained message?" : `Delete ${topics.length} retained messages?`}
      verb="Delete"
      onDismiss={onDismiss}
      onConfirm={async () => {
        // As MQTT has it: an empty message that is to be retained takes the place of nothing.
        for (const topic of topics) await sendData(new PublishCommand({ topic, retain: true, qos: 1, payload: new Uint8Array() }));
        await onDone();
      }}
    >
      <span className="words">{topics.length === 1 ? topics[0] : ""} Who is subscribed now is sent an empty message.</span>
    </ConfirmModal>
  );
}
