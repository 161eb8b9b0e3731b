import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DeleteThingShadowCommand, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { DescribeThingCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to, usePlace } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { ErrorBox } from "../../../kit/ErrorBox";
import { time } from "../../../kit/format";
import { checkJSON, JsonEditor } from "../../../kit/JsonEditor";
import { useAction, useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { bytesOf, send, sendData } from "../api";
import { thingLink } from "../columns";
import { TopicTable } from "../things/Interact";
import { classic, getShadow } from "./Shadows";
import { readShadow, shadowTopics, updateFor } from "./topics";

/** ShadowDetail is the screen of a shadow, classic or named. */
export function ShadowDetail({ params: { name: thing = "" } }: { params: Params }) {
  const notify = useNotify();
  const shadowName = usePlace().query.get("name") ?? undefined;
  const title = shadowName ?? classic;
  const shadow = useLoad(
    async () => {
      const [text, of] = await Promise.all([getShadow(thing, shadowName), send(new DescribeThingCommand({ thingName: thing }))]);
      if (text === undefined) throw new Error(`${thing} has no ${shadowName ? `shadow ${shadowName}` : "classic shadow"}.`);
      return { ...readShadow(text), arn: `${of.thingArn}${shadowName ? `/${shadowName}` : ""}` };
    },
    [thing, shadowName],
    3_000,
  );
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={title}
        of={shadow}
        summaryTitle="Device Shadow details"
        summary={(s) => [
          { label: "Thing", value: <Link href={thingLink(thing)}>{thing}</Link> },
          { label: "ARN", value: <Copy text={s.arn} what="ARN" /> },
          { label: "Version", value: s.version },
          { label: "Last updated", value: time(s.timestamp === undefined ? undefined : new Date(s.timestamp * 1000)) },
          { label: "Difference", value: s.state?.delta === undefined ? "None" : "Desired and reported state differ" },
        ]}
        actions={() => <Button onClick={() => doom(true)}>Delete</Button>}
        tabs={(s) => [
          { id: "document", label: "Device Shadow document", content: <Document thing={thing} shadowName={shadowName} of={s} onSaved={shadow.reload} /> },
          { id: "topics", label: "MQTT topics", content: <TopicTable topics={shadowTopics(thing, shadowName)} /> },
        ]}
      />
      {doomed && (
        <ConfirmModal
          title={`Delete ${title}?`}
          verb="Delete"
          onDismiss={() => doom(false)}
          onConfirm={async () => {
            await sendData(new DeleteThingShadowCommand({ thingName: thing, shadowName }));
            notify({ type: "success", content: `${title} of ${thing} deleted.` });
            go(to(["iot", "things", "details", thing], { tab: "shadows" }));
          }}
        >
          The state that devices and applications left in it is gone then.
        </ConfirmModal>
      )}
    </>
  );
}

interface Props {
  thing: string;
  shadowName?: string;
  of: ReturnType<typeof readShadow>;
  onSaved: () => Promise<void>;
}

const laidOut = (value: unknown) => JSON.stringify(value ?? {}, null, 2);

/** Document shows a shadow's state as it is now, and edits it. */
function Document({ thing, shadowName, of, onSaved }: Props) {
  const notify = useNotify();
  const action = useAction();
  const [edited, edit] = useState<{ text: string; from: Props["of"] }>();
  const { delta, ...state } = of.state ?? {};
  const save = () =>
    action.run(async () => {
      if (!edited) return;
      const after = JSON.parse(edited.text) as Record<string, unknown>;
      // The version is that which was edited: whoever was faster is not overwritten.
      const payload = JSON.stringify({ state: updateFor(edited.from.state, after), version: edited.from.version });
      await sendData(new UpdateThingShadowCommand({ thingName: thing, shadowName, payload: bytesOf(payload) }));
      edit(undefined);
      notify({ type: "success", content: "Shadow updated." });
      await onSaved();
    });
  return (
    <SpaceBetween size="l">
      <Container
        header={
          <Header
            variant="h2"
            description="Both parts may be changed: desired by applications, reported by the device. What is taken out of the text is taken out of the shadow."
            actions={
              edited ? (
                <SpaceBetween direction="horizontal" size="xs">
                  <Button variant="link" onClick={() => (edit(undefined), action.setError(undefined))}>
                    Cancel
                  </Button>
                  <Button variant="primary" loading={action.busy} disabled={checkJSON(edited.text).length > 0} onClick={() => void save()}>
                    Update
                  </Button>
                </SpaceBetween>
              ) : (
                <Button onClick={() => edit({ text: laidOut(state), from: of })}>Edit</Button>
              )
            }
          >
            Device Shadow state
          </Header>
        }
      >
        <SpaceBetween size="m">
          {edited ? (
            <JsonEditor key="edit" label="Shadow state" value={edited.text} onChange={(text) => edit({ ...edited, text })} height={320} />
          ) : (
            <JsonEditor key="show" label="Shadow state" value={laidOut(state)} height={320} />
          )}
          <ErrorBox error={action.error} what="The shadow is not updated" />
        </SpaceBetween>
      </Container>
      {delta !== undefined && (
        <Container header={<Header variant="h2" description="Desired, and not yet reported so.">Delta</Header>}>
          <pre className="preserve">{laidOut(delta)}</pre>
        </Container>
      )}
      <Container header={<Header variant="h2" description="When each part of the state was last set, in seconds since 1970.">Metadata</Header>}>
        {of.metadata === undefined ? <Box>None</Box> : <pre className="preserve">{laidOut(of.metadata)}</pre>}
      </Container>
    </SpaceBetween>
  );
}
