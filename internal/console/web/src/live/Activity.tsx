import { GetThingConnectivityDataCommand, IoTClient } from "@aws-sdk/client-iot";
import Alert from "@cloudscape-design/components/alert";
import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import TokenGroup from "@cloudscape-design/components/token-group";
import { useRef, useState } from "react";
import { ErrorBox } from "../kit/ErrorBox";
import { ago, time } from "../kit/format";
import { useLoad } from "../kit/load";
import { aws } from "../session/aws";
import { eventsOf, happened, messagesOf, type Happening } from "./activity";
import { clock } from "./clock";
import type { Message } from "./connection";
import { Payload } from "./Payload";
import { Status } from "./Status";
import { filterFault } from "./topic";
import { useMessages } from "./useMessages";

/** How many happenings are kept. */
const most = 100;

interface Props {
  thing: string;
  /** The ids of the clients that stand for the thing: its name, where nothing else is said. */
  clients?: string[];
}

/**
 * Activity shows what happens to a thing while it is looked at: its connection,
 * its messages, changes of its shadows. It listens as who is signed in, from when
 * it is shown until it is not.
 */
export function Activity({ thing, clients = [thing] }: Props) {
  const [filters, setFilters] = useState(() => messagesOf(thing));
  const [list, setList] = useState<(Happening & { id: number })[]>([]);
  const [paused, pause] = useState(false);
  const missed = useRef<(Happening & { id: number })[]>([]);
  const count = useRef(0);
  const connectivity = useLoad(() => aws(IoTClient).send(new GetThingConnectivityDataCommand({ thingName: thing })), [thing], 15_000);

  const { state, refused, retry } = useMessages([...eventsOf(thing, clients), ...filters], (m: Message) => {
    const h = happened(thing, clients, m);
    if (!h) return;
    if (h.kind === "Connection") void connectivity.reload();
    const line = { ...h, id: ++count.current };
    if (paused) missed.current = [line, ...missed.current].slice(0, most);
    else setList((was) => [line, ...was].slice(0, most));
  });
  const resume = () => {
    const late = missed.current;
    missed.current = [];
    pause(false);
    setList((was) => [...late, ...was].slice(0, most));
  };

  const c = connectivity.data;
  const never = c?.disconnectReason === "UNKNOWN" || (c?.timestamp?.getTime() ?? 0) <= 0;
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">Connection</Header>}>
        <SpaceBetween size="m">
          <ErrorBox error={connectivity.error} onRetry={() => void connectivity.reload()} />
          <KeyValuePairs
            columns={3}
            minColumnWidth={180}
            items={[
              {
                label: "Status",
                value: !c ? "-" : c.connected ? <StatusIndicator>Connected</StatusIndicator> : never ? <StatusIndicator type="stopped">Never connected</StatusIndicator> : <StatusIndicator type="stopped">Disconnected</StatusIndicator>,
              },
              { label: c?.connected === false ? "Disconnected since" : "Connected since", value: c && !never ? `${time(c.timestamp)} (${ago(c.timestamp).toLowerCase()})` : "-" },
              { label: "Reason of the disconnection", value: c && !c.connected && !never ? (c.disconnectReason ?? "-") : "-" },
            ]}
          />
        </SpaceBetween>
      </Container>
      <Container
        header={
          <Header
            variant="h2"
            counter={`(${list.length})`}
            description="What happens while this page is open, the newest first."
            actions={
              <SpaceBetween direction="horizontal" size="xs" alignItems="center">
                <Status state={state} on="Live" />
                <Button onClick={() => (paused ? resume() : pause(true))}>{paused ? "Resume" : "Pause"}</Button>
                <Button
                  onClick={() => {
                    missed.current = [];
                    setList([]);
                  }}
                >
                  Clear
                </Button>
              </SpaceBetween>
            }
          >
            Activity
          </Header>
        }
      >
        <SpaceBetween size="m">
          {state.of === "refused" && <ErrorBox error={state.error} what="The console could not connect" onRetry={retry} />}
          {refused.map((r) => (
            <ErrorBox key={r.filter} error={r.error} what={`Not shown: ${r.filter}`} />
          ))}
          <Filters filters={filters} onChange={setFilters} />
          {list.length === 0 ? (
            <Box textAlign="center" padding="l" color="text-body-secondary">
              Nothing has happened since this page was opened.
            </Box>
          ) : (
            <div role="log" aria-label="Activity">
              {list.map((h) => (
                <Line key={h.id} of={h} />
              ))}
            </div>
          )}
          {paused && <Alert type="info">Paused. What happens meanwhile is shown when you resume.</Alert>}
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}

const colors = { Connection: "green", Subscription: "grey", Shadow: "blue", Message: "severity-neutral" } as const;

function Line({ of }: { of: Happening }) {
  return (
    <ExpandableSection
      headerText={
        <span className="words">
          <Badge color={colors[of.kind]}>{of.kind}</Badge> {of.what}
        </span>
      }
      headerDescription={clock(of.at)}
      disableContentPaddings={false}
      defaultExpanded={of.kind === "Message" || (of.changes?.length ?? 0) > 0}
    >
      {of.changes && of.changes.length > 0 ? (
        <ul className="changes">
          {of.changes.map((c) => (
            <li key={c.path} className="words">
              <b>{c.path}</b>: {c.from ?? "not there"} → {c.to ?? "removed"}
            </li>
          ))}
        </ul>
      ) : (
        <Payload payload={of.message.payload} display="auto" />
      )}
    </ExpandableSection>
  );
}

/** Which messages are listened to. */
function Filters({ filters, onChange }: { filters: string[]; onChange: (filters: string[]) => void }) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState(false);
  const fault = filters.includes(text) ? "It is listened to already." : filterFault(text);
  const add = () => {
    setTried(true);
    if (fault) return;
    onChange([...filters, text]);
    setText("");
    setTried(false);
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        add();
      }}
    >
      <FormField label="Messages on the topics" errorText={tried && text !== "" && fault} secondaryControl={<Button formAction="submit">Add topic filter</Button>}>
        <Input value={text} onChange={({ detail }) => setText(detail.value)} placeholder="topic/filter/#" ariaLabel="Topic filter" />
      </FormField>
      <TokenGroup
        items={filters.map((f) => ({ label: f, dismissLabel: `Do not listen to ${f}` }))}
        onDismiss={({ detail }) => onChange(filters.filter((_, i) => i !== detail.itemIndex))}
      />
    </form>
  );
}
