import Alert from "@cloudscape-design/components/alert";
import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { memo, useState } from "react";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { clock } from "../../../live/clock";
import type { Message } from "../../../live/connection";
import { Payload } from "../../../live/Payload";
import type { Display } from "../../../live/payload";
import { hasWildcard } from "../../../live/topic";
import type { Sub, TestClient } from "./client";
import { exported } from "./exported";
import { PublishForm } from "./PublishForm";
import { ConfigFields, configOf, type ConfigDraft } from "./SubscribeForm";

/** Log is what came on a subscription, below a box to publish from. */
export function Log({ client, sub }: { client: TestClient; sub: Sub }) {
  const [editing, edit] = useState(false);
  const { filter } = sub;
  const publishable = !hasWildcard(filter) && !filter.startsWith("$share/");
  return (
    <Container
      header={
        <Header
          variant="h2"
          counter={`(${sub.total})`}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => client.change(filter, { paused: !sub.paused })}>{sub.paused ? "Resume" : "Pause"}</Button>
              <Button onClick={() => client.clear(filter)}>Clear</Button>
              <Button disabled={sub.entries.length === 0} onClick={() => void save(sub)}>
                Export
              </Button>
              <Button onClick={() => edit(true)}>Edit</Button>
            </SpaceBetween>
          }
        >
          <span className="words">{filter}</span>
        </Header>
      }
    >
      <SpaceBetween size="m">
        {sub.state === "refused" && <ErrorBox error={sub.error} what={`You are not subscribed to ${filter}`} onRetry={() => void client.subscribe(filter, sub.config).catch(() => {})} />}
        {publishable && (
          <ExpandableSection headerText="Publish to this topic">
            <PublishForm client={client} topic={filter} />
          </ExpandableSection>
        )}
        {sub.paused && <Alert type="info">{sub.held.length === 0 ? "Paused." : `Paused. ${sub.held.length} ${sub.held.length === 1 ? "message has" : "messages have"} come since.`}</Alert>}
        {sub.note && <Alert type="warning">{sub.note}</Alert>}
        {sub.entries.length === 0 ? (
          <Box textAlign="center" padding="l" color="text-body-secondary">
            {sub.state === "granted" ? "No messages have come yet." : sub.state === "asked" ? "Subscribing" : "No messages."}
          </Box>
        ) : (
          <ol className="messages" role="log" aria-label={`Messages on ${filter}`}>
            {sub.entries.map((e) => (
              <li key={e.id}>
                <Shown message={e.message} display={sub.config.display} />
              </li>
            ))}
          </ol>
        )}
        {sub.total > sub.entries.length + sub.held.length && sub.entries.length > 0 && (
          <Box color="text-body-secondary" fontSize="body-s">
            The newest {sub.entries.length} of {sub.total} messages are kept.
          </Box>
        )}
      </SpaceBetween>
      {editing && <Edit client={client} sub={sub} onDismiss={() => edit(false)} />}
    </Container>
  );
}

const Shown = memo(function Shown({ message: m, display }: { message: Message; display: Display }) {
  const properties = propertiesOf(m);
  return (
    <article aria-label={`Message on ${m.topic}`}>
      <div className="message-head">
        <b className="words">{m.topic}</b>
        <Box color="text-body-secondary" fontSize="body-s" display="inline">
          {clock(m.at)}
        </Box>
        {m.qos > 0 && <Badge>QoS {m.qos}</Badge>}
        {m.retain && <Badge color="blue">Retained</Badge>}
      </div>
      <Payload payload={m.payload} display={display} />
      {properties.length > 0 && (
        <ExpandableSection headerText="Properties">
          <KeyValuePairs columns={2} minColumnWidth={200} items={properties.map(([label, value]) => ({ label, value: <span className="words">{value}</span> }))} />
        </ExpandableSection>
      )}
    </article>
  );
});

const text = (b: Uint8Array) => new TextDecoder().decode(b);

/** What MQTT 5 brought along with a message. */
function propertiesOf({ properties: p }: Message): [string, string][] {
  const list: [string, string][] = [];
  if (p.contentType) list.push(["Content type", p.contentType]);
  if (p.payloadFormatIndicator) list.push(["Payload format", "UTF-8 text"]);
  if (p.responseTopic) list.push(["Response topic", p.responseTopic]);
  if (p.correlationData) list.push(["Correlation data", text(p.correlationData)]);
  if (p.messageExpiryInterval !== undefined) list.push(["Expires after", `${p.messageExpiryInterval} s`]);
  for (const [key, value] of Object.entries(p.userProperties ?? {})) for (const v of [value].flat()) list.push([`User property ${key}`, v]);
  return list;
}

async function save(sub: Sub): Promise<void> {
  const list = await Promise.all([...sub.entries].reverse().map((e) => exported(e.message)));
  download(`${sub.filter.replace(/[^A-Za-z0-9._-]+/g, "_")}.json`, JSON.stringify(list, null, 2) + "\n", "application/json");
}

/** Edit changes how a subscription is made and shown. */
function Edit({ client, sub, onDismiss }: { client: TestClient; sub: Sub; onDismiss: () => void }) {
  const [draft, setDraft] = useState<ConfigDraft>({ ...sub.config, keep: String(sub.config.keep) });
  const config = configOf(draft);
  return (
    <ConfirmModal
      title={`Edit the subscription to ${sub.filter}`}
      verb="Save changes"
      large
      ready={config !== undefined}
      onDismiss={onDismiss}
      onConfirm={async () => {
        if (config) await client.subscribe(sub.filter, config);
      }}
    >
      <ConfigFields draft={draft} onChange={setDraft} />
    </ConfirmModal>
  );
}
