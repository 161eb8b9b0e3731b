import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { to } from "../../../frame/route";
import { DetailPage } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { getDevice, getRun, underWay } from "../api";
import { LogLines } from "./LogLines";
import { Phase } from "./Status";

/** DeviceDetail is one device of a run: where it is, its state, what it sent last, its log. */
export function DeviceDetail({ params: { id = "", client = "" } }: { params: Params }) {
  const [live, setLive] = useState(true);
  const device = useLoad(
    async () => {
      const [d, { run }] = await Promise.all([getDevice(id, client), getRun(id)]);
      setLive(underWay(run.status));
      return { ...d, run };
    },
    [id, client],
    live ? 2_000 : undefined,
  );
  return (
    <DetailPage
      title={`Device ${client}`}
      of={device}
      actions={() => <Button iconName="refresh" ariaLabel="Refresh the device" onClick={() => void device.reload()} />}
      summaryTitle="Device info"
      summary={(d) => [
        { label: "Phase", value: <Phase of={d.device.phase} /> },
        { label: "Connected", value: d.device.connected ? "Yes" : "No" },
        { label: "Iteration", value: d.device.iteration.toLocaleString("en-US") },
        { label: "Messages published", value: (d.device.published ?? 0).toLocaleString("en-US") },
        { label: "Messages received", value: (d.device.received ?? 0).toLocaleString("en-US") },
        { label: "Errors", value: (d.device.errors ?? 0).toLocaleString("en-US") },
        { label: "Test", value: <Link href={to(["fleet", "tests", "details", d.run.testName])}>{d.run.testName}</Link> },
        { label: "Last error", value: d.device.lastError },
      ]}
      tabs={(d) => [
        { id: "state", label: "State", content: <Text title="State" text={laidOut(d.state)} empty="The device has no state yet." note="Names that begin with __$ are not shown." /> },
        {
          id: "payload",
          label: "Payload",
          content: <Text title={d.lastTopic ? `Last message to ${d.lastTopic}` : "Last message"} text={d.lastPayloadHex ? (d.lastPayload ?? "") : laidOut(d.lastPayload)} empty="The device has published nothing yet." note={d.lastPayloadHex ? "In hexadecimal: it is no text." : undefined} />,
        },
        { id: "logs", label: "Logs", content: <LogLines title="Logs" lines={d.logs} empty="The device has logged nothing." note="The latest lines of this device." /> },
      ]}
    />
  );
}

/** JSON laid out for people, anything else as it is. */
export function laidOut(text: string | undefined): string {
  if (text === undefined) return "";
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function Text({ title, text, empty, note }: { title: string; text: string; empty: string; note?: string }) {
  return (
    <Container header={<Header variant="h2" description={note}>{title}</Header>}>
      {text === "" ? (
        <Box color="text-body-secondary">{empty}</Box>
      ) : (
        <SpaceBetween size="xs">
          <pre className="payload" tabIndex={0} aria-label={title}>
            {text}
          </pre>
        </SpaceBetween>
      )}
    </Container>
  );
}
