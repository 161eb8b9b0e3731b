import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { GetRetainedMessageCommand } from "@aws-sdk/client-iot-data-plane";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, usePlace } from "../../../frame/route";
import { CopyButton } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import { sendData, textOf } from "../api";
import { shown } from "./payload";
import { PublishRetained } from "./PublishRetained";
import { DeleteRetained } from "./RetainedMessages";

/** RetainedMessage is the screen of the retained message of a topic. */
export function RetainedMessage() {
  const notify = useNotify();
  const topic = usePlace().query.get("topic") ?? "";
  const message = useLoad(() => sendData(new GetRetainedMessageCommand({ topic })), [topic], 5_000);
  const [asking, ask] = useState<"edit" | "delete">();
  return (
    <>
      <DetailPage
        title={topic}
        of={message}
        summaryTitle="Message details"
        summary={(m) => [
          { label: "Topic", value: m.topic },
          { label: "QoS", value: m.qos },
          { label: "Payload size", value: `${m.payload?.length ?? 0} bytes` },
          { label: "Last updated", value: time(m.lastModifiedTime === undefined ? undefined : new Date(m.lastModifiedTime)) },
          { label: "User properties", value: m.userProperties?.length ? textOf(m.userProperties) : "-" },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => ask("delete")}>Delete</Button>
            <Button onClick={() => ask("edit")}>Edit</Button>
          </SpaceBetween>
        )}
      >
        {(m) => {
          const { as, text } = shown(m.payload ?? new Uint8Array());
          return (
            <Container header={<Header variant="h2" description={as} actions={<CopyButton text={text} what="Payload" />}>Message payload</Header>}>
              <pre className="preserve">{text}</pre>
            </Container>
          );
        }}
      </DetailPage>
      {asking === "edit" && (
        <PublishRetained
          topic={topic}
          text={textOf(message.data?.payload)}
          onDismiss={() => ask(undefined)}
          onDone={async () => {
            notify({ type: "success", content: "Published, and retained." });
            await message.reload();
          }}
        />
      )}
      {asking === "delete" && (
        <DeleteRetained
          topics={[topic]}
          onDismiss={() => ask(undefined)}
          onDone={() => {
            notify({ type: "success", content: `The retained message of ${topic} is deleted.` });
            go("#/iot/retained-messages");
          }}
        />
      )}
    </>
  );
}
